default['base']['limits']['nofile'] = 65_536
