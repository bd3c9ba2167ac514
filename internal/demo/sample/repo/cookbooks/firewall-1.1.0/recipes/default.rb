package 'nftables' do
  retries 2
end

template '/etc/nftables.conf' do
  source 'nftables.conf.erb'
  notifies :reload, 'service[nftables]'
end

service 'nftables' do
  supports reload: true
  action %i(enable start)
end
