master 'https://chef.example.com/organizations/acme'
replica 'https://CHEF.example.com:443/'
ec_sync_client['replica'] = 'https://other.example.com'
organizations [
  { :source => 'other', :destination => 'x' },
  { :source => 'acme', :destination => 'acme' },
  { :destination => 'y' },
  { :source => 'acme', :destination => 'y' },
]
