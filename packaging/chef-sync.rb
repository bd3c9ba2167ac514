# The configuration of chef-sync: literals only, it is read and never run.
# /usr/share/doc/chef-sync/settings.md has all settings. After a change:
#
#   chef-sync-ctl reconfigure && systemctl restart ec-syncd

# What runs on this host. Uncomment ONE of the two.

# 1. On a replica, or on any host that reaches both servers: what copies.
#
# role    :replica
# master  'https://chef-1.example.com'     # where changes are made
# replica 'https://127.0.0.1'              # the server to be kept equal to it
# organizations [
#   { :source => 'acme', :destination => 'acme' },
# ]

# 2. On the primary, if you like: a feed that tells replicas what changed. Without
#    it they compare lists.
#
# role :master
# ec_sync_server['database']               = 'postgres://opscode_chef@127.0.0.1:5432/opscode_chef'
# ec_sync_server['database_password_file'] = '/etc/chef-sync/database_password'

# Who signs requests to both servers. chef-sync-ctl prepare-org ORG makes the user
# and the key on the first server; copy the key to the other host before it runs there.
#
# ec_sync_client['sync_user'] = 'ec_sync_user'
# ec_sync_client['sync_key']  = '/etc/chef-sync/ec_sync_user.pem'

# Which server to believe, where its certificate is its own.
#
# master_tls['ca_file']  = '/etc/chef-sync/chef-1.crt'
# replica_tls['ca_file'] = '/var/opt/opscode/nginx/ca/chef-2.example.com.crt'

# What is copied, beside the default (cookbooks, roles, environments, data bags,
# policies).
#
# clients true
# groups  true
# acls    true
# exclude ['/data/secrets']

# Every day at this time (UTC) everything is re-read and compared on both sides.
#
# verify_at '03:30'
