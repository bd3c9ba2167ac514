app = data_bag_item('apps', 'webshop')
release = "#{node['webshop']['root']}/releases/#{app['version']}"

directory release do
  recursive true
end

remote_file "#{release}/webshop.jar" do
  source "https://artifacts.example.com/webshop/#{app['version']}/webshop.jar"
  checksum app['sha256']
  retries 3
end

link "#{node['webshop']['root']}/current" do
  to release
  notifies :restart, 'systemd_unit[webshop.service]'
end

include_recipe 'webshop::service'
