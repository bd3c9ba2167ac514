# Tools that people on call expect to find.
default['base']['packages'] = %w(curl htop lsof vim)
default['base']['timezone'] = 'Etc/UTC'
default['base']['motd']['owner'] = 'Platform Team'
