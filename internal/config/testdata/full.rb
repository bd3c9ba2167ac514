# Every setting that has an effect.
role(:master_and_replica); name 'eu-1'
master  'https://chef-1.example.com/'
replica = 'http://localhost:8080'
replica_organizations false
organization :source => :acme, :destination => :default
bootstrap false
master_user 'reader'
master_key 'keys/reader.pem'
replica_user 'admin'
replica_key '/etc/goiardi/admin.pem'
master_tls({ 'ca_file' => 'ca.pem',
             'client_cert' => 'me.pem', 'client_key' => 'me.key',
             'pin_sha256' => '00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF' })
replica_tls['insecure'] = true
replica_tls['pin_sha256'] = 'sha256//47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='
master_headers 'X-Proxy-Token' => 'hush'
master_headers['X-Trace'] = "a\tb"
master_file_hosts %w[s3.example.com
                     files.example.com:9000
                     http://*.minio.example.com]
master_limit requests_per_second: 20, 'bytes_per_second' => 5_000_000
replica_limit['requests_per_second'] = 50
poll_interval 1.5
poll_hold '45s'
deep_interval "1h30m"
feed :listing
kinds %i[cookbooks data_bags data_bag_items roles]
extras 'delete'
delete_limit percent: 5, objects: 1_000
parallel 8
staging 'file:///srv/staging'
log_level :debug
temporal['address'] = 'temporal.example.com:7233'
temporal['namespace'] = 'chef'
temporal['deployment'] = 'eu'
temporal { 'profile' => 'prod', :port => 0, 'ui_port': 0,
           'tls' => { 'ca_file' => 'temporal-ca.pem', 'client_cert' => 'me.pem', 'client_key' => 'me.key' } }
temporal['tls']['server_name'] = 'temporal'
temporal['tls']['insecure'] = true
temporal['api_key_file'] = 'temporal.key'
temporal['codec_key_file'] = 'codec.keys'
metrics_address '0.0.0.0:9464'
traces_endpoint 'https://otel.example.com:4317'
webhook_url 'https://hooks.example.com/T0/s3cr3t'
webhook_headers_file 'webhook.headers'
webhook_stale_after '30m'
ec_sync_client['dir'] = '/srv/chef-sync'
ec_sync_client['enable'] = true
ec_sync_client['log_directory'] = ''
ec_sync_client['log_rotation']['num_to_keep'] = 3
ec_sync_client['sync_key'] = ("unused.pem")
ec_sync_server 'dir' => '/srv/feed', 'port' => 0x270C, 'log_rotation' => { 'num_to_keep' => 4 }
=begin
organizations ['this is a comment']
=end
poll_interval 2 # again
__END__
nonsense here }{
