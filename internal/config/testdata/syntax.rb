role: replica
master 'https://chef-1.example.com
replica 'https://chef-2.example.com'
organizations [
  { :source => 'acme', :destination => 'acme' }
parallel 4
kinds [:role, :environment
ec_sync_client['dir' = '/x'
feed
poll_interval =
name 'a' 'b'
delete_limit { 'percent' => 10 ]
extras 'keep')
log_level "\u12"
poll_hold 0888
deep_interval 99999999999999999999
