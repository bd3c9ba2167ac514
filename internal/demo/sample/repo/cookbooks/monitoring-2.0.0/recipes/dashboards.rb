package 'grafana'

remote_directory '/var/lib/grafana/dashboards' do
  source 'dashboards'
  purge true
end
