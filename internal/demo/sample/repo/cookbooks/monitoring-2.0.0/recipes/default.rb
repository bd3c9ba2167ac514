package 'prometheus-node-exporter'

service 'prometheus-node-exporter' do
  action %i(enable start)
end
