package 'nginx'

template '/etc/nginx/nginx.conf' do
  source 'nginx.conf.erb'
  notifies :reload, 'service[nginx]'
end

service 'nginx' do
  supports reload: true, status: true
  action %i(enable start)
end
