# A primary that feeds a replica elsewhere: the original's default for master.
role :master_and_replica
ec_sync_client['replica'] = 'https://chef-2.example.com'
organization({ source: 'acme', destination: 'acme', })
