master 'https://chef-1.example.com'
replica 'https://chef-2.example.com'
organizations ['acme']
temporal['tls'] = 'yes'
temporal['tls']['client_cert'] = 'me.pem'
temporal 'tls' => { 'ca' => 'x.pem', :insecure => 1 }
temporal['api_key'] = 'hush'
temporal['ui_port'] = 7233
