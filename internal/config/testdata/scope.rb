# What each pair replicates: for all pairs first.
master 'https://chef-1.example.com'
replica 'https://chef-2.example.com'
clients true
groups true
nodes true
include ['/roles/web-*', '/data/users', '/clients/*']
exclude '/data/secrets'
delete_limit['objects'] = 5
verify_at '03:30'
maintenance ['22:00-23:30', 'Sat,Sun 01:00-05:00 Europe/Berlin']
organizations [
  'acme',
  { :source => 'acme', :destination => 'acme-eu', :clients => false, acls: true,
    exclude: ['/data/secrets', '/cookbooks/*/0.*'], 'extras' => :delete,
    :delete_limit => { :percent => 5 }, :thaw => true },
  { source: 'payments', kinds: %i[roles data_bags], nodes: false, containers: true, full_name: true,
    include: [], exclude: [], delete_limit: { percent: 0, 'objects' => 0 }, verify_at: '',
    maintenance: [] },
  { source: 'labs', acls: true, nodes: true, thaw: true, thaw: false,
    maintenance: 'Mon-Fri 22:00-02:00',
  },
]
