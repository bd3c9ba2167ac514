# /etc/chef-sync/chef-sync.rb, as the documentation of the original shows it
role :replica
master "https://chef-master.example.com"
organizations [
  {
    :source => "acme",
    :destination => "acme"
  },
  {
    :source => 'payments',
    :destination => 'payments-eu',
  },
]
ec_sync_client['sync_user'] = "ec_sync_user"
ec_sync_client['log_rotation'] = { 'file_maxbytes' => 104857600, 'num_to_keep' => 10 }
ec_sync_client['ha'] = false
ec_sync_client['socket_path'] = '/var/opt/chef-sync/ec_sync_client/ec_sync.sock'
chef_base_path '/opt/opscode'
user['username'] = 'opscode'
