role :slave
master 'chef-1.example.com'
replica 'https://admin:secret@chef-2.example.com'
organizations [{ :source => 'Acme Inc', :destination => 'acme' }, 'b', { :from => 'c' }, 'b', 5, { :destination => 'x' }]
polling_interval 10
poll_intervall 10
sync_user 'me'
ec_sync_client['sync_kay'] = 'me'
ec_sync_client['xyzzyxyzzy'] = 'me'
temporal 'temporal:7233'
temporal['port'] = 70000
temporal['address'] = 'temporal.example.com'
master_tls['client_cert'] = 'x.pem'
master_tls['pin_sha256'] = 'abc'
replica_tls 'insecure' => true, 'ca_file' => 'ca.pem'
master_headers 'X-Ops-Userid' => 'me', 'bad name' => 'x', 'X-Ok' => 5
master_file_hosts ['https://files.example.com/x']
parallel 0
poll_interval '5 bananas'
poll_hold 61
kinds [:role, :nodes, :data_bag_item]
extras :purge
staging '/var/tmp'
log_level :trace
feed nil
bootstrap 'true'
name 'a/b'
ec_sync_server['port'] = '9996'
ec_sync_server['dir'] = ''
delete_limit 10
delete_limit['percent'] = 101
temporal[5] = 1
metrics_address '9464'
webhook_url 'hooks.example.com/s3cr3t'
webhook_stale_after 0
frobnicate true
replica_limit['requests_per_second'] = -1
master_limit['bytes_per_second'] = '5 MB'
master_limit['requests'] = 5
traces_endpoint 'http://me:s3cr3t@otel.example.com:4317'
