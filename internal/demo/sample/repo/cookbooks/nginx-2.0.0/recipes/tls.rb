include_recipe 'nginx::default'

template '/etc/nginx/conf.d/tls.conf' do
  source 'tls.conf.erb'
  notifies :reload, 'service[nginx]'
end
