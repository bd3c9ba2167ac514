master 'https://chef-1.example.com'
replica 'https://chef-2.example.com'
clients 'yes'
kinds [:role, :acls, :nodes, 'organization', :full_name, :widgets]
include ['/roles/web-*', 'roles/x', '/roles/', '/widgets/x', '/roles/[a', '']
exclude 5
thaw nil
verify_at '24:00'
verify_at 330
acl true
maintenance ['22:00-23:30', '22:00', 'Sut 01:00-02:00', '01:00-02:00 Europe/Narva', 5]
organizations [
  { :source => 'a', :client => true },
  { :source => 'b', :poll_interval => 5 },
  { :source => 'c', :frobnicate => true, :sourse => 'd' },
  { :source => 'd', :kinds => [], :extras => :purge, :nodes => 1 },
  { :source => 'e', :kinds => [:client, :cookbook], :include => '/nodes', :exclude => ['/'], :verify_at => '3:30' },
  { :source => 'f', :delete_limit => 5 },
  { :source => 'g', :delete_limit => { :percents => 5, :objects => -1, 5 => 5 } },
  { :source => 'h', :percent => 5, 5 => 5 },
  { :source => 'i', :delete_limit => { :percent => 101 }, :thaw => 'x' },
  { :source => 'j', :maintenance => ['00:00-12:00', '12:00-24:00'] },
  { :source => 'k', :maintenance => 22 },
]
verify_at 3:30
verify_at 03:30
