role :master

ec_sync_server['listen'] = '0.0.0.0'
ec_sync_server['auth_skew'] = '600'
ec_sync_server[:db_pool_size] = 20
