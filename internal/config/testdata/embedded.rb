master 'https://chef-1.example.com'
replica 'https://chef-2.example.com'
organizations ['acme']
bootstrap false
user({ 'username' => 'chef', 'home' => '/home/chef', 'shell' => '/bin/bash' })
install_path '/opt/other'
ec_sync_server['ha'] = true
temporal['api_key_file'] = 'temporal.key'
temporal['tls'] = { :server_name => 'temporal' }
