package 'ntp' do
  action :remove
end

package 'chrony' do
  retries 2
end

template '/etc/chrony/chrony.conf' do
  source 'chrony.conf.erb'
  notifies :restart, 'service[chrony]'
end

service 'chrony' do
  action %i(enable start)
end
