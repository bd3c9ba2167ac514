package 'prometheus' do
  retries 2
end

template '/etc/prometheus/prometheus.yml' do
  source 'prometheus.yml.erb'
  variables targets: search(:node, 'recipes:monitoring').map { |n| n['fqdn'] }.sort
  notifies :reload, 'service[prometheus]'
end

cookbook_file '/etc/prometheus/alerts.yml' do
  source 'alerts.yml'
  notifies :reload, 'service[prometheus]'
end

service 'prometheus' do
  supports reload: true
  action %i(enable start)
end
