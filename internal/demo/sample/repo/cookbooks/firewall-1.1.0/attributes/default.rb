default['firewall']['open'] = [22]
default['firewall']['log_dropped'] = false
