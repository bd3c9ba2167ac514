# What docker-compose.yml reads as ./chef-sync.rb, to copy and to edit: the two servers
# and the organizations. docs/settings.md has all settings, docs/production.md the way.
role :replica
name 'sync'                            # different for each replica of one Temporal

master  'https://chef-1.example.com'
replica 'https://chef-2.example.com'
organizations ['acme']

# A container has its own ways for these two: its log is what "docker-compose logs"
# shows, and Prometheus, and the health check, ask at this port, which is not published.
ec_sync_client['log_directory'] = ''
metrics_address '0.0.0.0:9464'
