require 'socket'
require_relative 'other'
puts "hello"
host = 'https://chef.example.com'
master "https://" + host
replica 'https://' 'chef-2.example.com'
name "eu-#{n}"
organizations %w[a b].sort
organizations [*list]
organizations [{ :source => 'a', **opts }]
organizations [{ :source => o, :destination => 'b' }]
poll_interval ENV.fetch('POLL', 10)
poll_hold(Integer('5'))
deep_interval 1..5
include [/roles/]
exclude ['/roles/x'].freeze
parallel 3r
feed ?a
extras :"keep#{x}"
log_level true ? :info : :warn
temporal['address'] ||= 'temporal:7233'
temporal.address 'temporal:7233'
temporal['port'], temporal['ui_port'] = 1, 2
ec_sync_client[dir] = '/srv'
ec_sync_server['dir'] = __dir__
ec_sync_server['listen'] = `hostname -i`
master_user Chef::Config[:node_name]
master_key <<-KEY
  not a key
KEY
verify_at '03:30' unless node
thaw !false
staging -> { 'x' }
kinds not nil
bootstrap (1 == 1)
case node
when 'x' then parallel 2
end
full_name &:to_s
organizations [
  { :source => 'a' :destination => 'b' },
]
organizations [
  { :source => 'a', :destination => 'b' },
  { :source => 'c', :destination => "#{x}" },
  { :source => 'c', :destination => y },
]
kinds [:role :environment]
include ['a',, 'b']
delete_limit { 'percent' => , 'objects' => 1 }
delete_limit { 'percent' 10 }
delete_limit { 'percent', 10 }
ec_sync_client['dir'] = '/x' = '/y'
exclude ['a' => 'b']
master_headers [x: 'y']
include ['a'] ['b']
organizations [
  { :source => a, :destination => ENV['X'] },
  { :source => 'b', :destination => b.upcase },
  { :source => "#{c}", :destination => 'c' },
  d => 'e', 'f' => g,
]
kinds ["a#{1}", "b#{2}",
       "c#{3}"]
