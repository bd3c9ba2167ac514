require 'socket'
master ENV['CHEF_MASTER']
replica "https://#{Socket.gethostname}"
host = 'https://chef.example.com'
name host
master_key File.join('/etc', 'key.pem')
if node['fqdn'] == 'x'
  parallel 99
  unknown 'inside'
end
organizations %w[a b].map { |o|
  { :source => o, :destination => o }
}
log_level <<~EOS
  it's a heredoc
EOS
poll_interval 10 * 60
poll_hold 5m
deep_interval 10.minutes
staging %q(file:///tmp)
feed auto
extras "keep" unless true
organizations.each do |o|
  o
end
replica_user @user
