# The same settings, as people write them.
role(:replica) # in parentheses
master('https://chef-1.example.com')
replica ("https://chef-2.example.com")
organization([
  { :source => "acme", :destination => "acme-eu", }, # a trailing comma

  {
    source:
      'payments',
    'destination' =>
      ('payments'),
    kinds: %i[cookbooks roles
              environments],
    delete_limit: { percent: 5, :objects => 1_000 },
  },
  'web',
  # 'not this one',
])
ec_sync_client \
  'dir' => '/srv/sync',
  :log_rotation => {
    file_maxbytes: 1_048_576,
    "num_to_keep" => (3),
  }
ec_sync_server['log_rotation']['num_to_keep'] = 0b101
ec_sync_server[:auth_skew] = "900"; poll_interval = 1_5
exclude = %w[
  /data/secrets
  /roles/tmp-*
]
include %w{/data /roles /cookbooks}
