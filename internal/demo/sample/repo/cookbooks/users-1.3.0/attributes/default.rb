default['users']['groups'] = %w(sysadmin)
default['users']['shell'] = '/bin/bash'
