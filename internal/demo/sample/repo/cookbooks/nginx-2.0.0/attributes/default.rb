default['nginx']['worker_processes'] = 2
default['nginx']['worker_connections'] = 1024
default['nginx']['keepalive_timeout'] = 65
