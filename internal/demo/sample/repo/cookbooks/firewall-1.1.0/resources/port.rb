unified_mode true
provides :firewall_port

property :port, Integer, name_property: true, coerce: proc { |p| p.to_i }

action :open do
  node.default['firewall']['open'] |= [new_resource.port]
end
