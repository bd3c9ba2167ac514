include_recipe 'base::packages'
include_recipe 'base::limits'
include_recipe 'ntp'

template '/etc/motd' do
  source 'motd.erb'
  mode '0644'
  variables owner: node['base']['motd']['owner']
end

timezone node['base']['timezone']
