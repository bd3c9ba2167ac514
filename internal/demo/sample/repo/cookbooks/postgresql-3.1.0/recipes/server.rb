version = node['postgresql']['version']
package "postgresql-#{version}"

template "/etc/postgresql/#{version}/main/conf.d/chef.conf" do
  source 'chef.conf.erb'
  owner 'postgres'
  variables(
    settings: node['postgresql']['config'],
    shared_buffers: Postgresql::Memory.shared_buffers(node['memory']['total'].to_i)
  )
  notifies :restart, 'service[postgresql]'
end

service 'postgresql' do
  action %i(enable start)
end
