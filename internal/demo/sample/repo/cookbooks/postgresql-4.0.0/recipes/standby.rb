include_recipe 'postgresql::server'

file "/var/lib/postgresql/#{node['postgresql']['version']}/main/standby.signal" do
  owner 'postgres'
  mode '0600'
end
