# What ec_sync_server cannot be.
role :master
ec_sync_server['allow'] = ['two words']
ec_sync_server['capture'] = :slots
ec_sync_server['database'] = 'hush'
ec_sync_server['interval'] = 0
ec_sync_server['retention'] = '1m'
ec_sync_server['tls_cert'] = 'feed.pem'
ec_sync_server['validate_url'] = 'https://chef.example.com'
ec_sync_server['vip'] = 'a/b'
