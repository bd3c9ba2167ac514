include_recipe 'nginx::tls'

nginx_site 'shop.example.com' do
  backends search(:node, 'roles:app_server').map { |n| "#{n['ipaddress']}:#{node['webshop']['port']}" }.sort
end
