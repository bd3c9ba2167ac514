default['postgresql']['version'] = '15'
default['postgresql']['config']['max_connections'] = 200
default['postgresql']['config']['random_page_cost'] = 1.1
default['postgresql']['hba'] = [
  { type: 'local', db: 'all', user: 'postgres', method: 'peer' },
]
