# The last provider of the old kind; it becomes a resource with 5.0.
use_inline_resources

action :create do
  execute "replication slot #{new_resource.name}" do
    command "psql -c \"SELECT pg_create_physical_replication_slot('#{new_resource.name}')\""
    user 'postgres'
  end
end
