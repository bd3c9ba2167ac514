include_recipe 'base::packages'

template '/etc/motd' do
  source 'motd.erb'
  mode '0644'
  variables owner: node['base']['motd']['owner']
end

timezone node['base']['timezone']
