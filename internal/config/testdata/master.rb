role :master

ec_sync_server['listen'] = '0.0.0.0'
ec_sync_server['auth_skew'] = '600'
ec_sync_server[:db_pool_size] = 20
ec_sync_server['vip'] = '10.0.0.5'
ec_sync_server['allow'] = ['eu_replica', 'us_replica']
ec_sync_server['capture'] = :triggers
ec_sync_server['database'] = 'postgres://opscode_chef:hush@127.0.0.1:5432/opscode_chef'
ec_sync_server['database_password_file'] = 'database.password'
ec_sync_server['interval'] = '500ms'
ec_sync_server['retention'] = '48h'
ec_sync_server['nodes'] = true
ec_sync_server['nginx_addon_dir'] = ''
ec_sync_server['validate_url'] = 'https://127.0.0.1'
ec_sync_server 'tls_cert' => 'feed.pem', 'tls_key' => 'feed.key'
