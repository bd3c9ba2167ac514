unified_mode true
provides :postgresql_database

property :database, String, name_property: true
property :owner, String, default: 'postgres'

action :create do
  execute "create database #{new_resource.database}" do
    command "createdb --owner #{new_resource.owner} #{new_resource.database}"
    user 'postgres'
    not_if "psql -lqtA | cut -d '|' -f 1 | grep -qx #{new_resource.database}", user: 'postgres'
  end
end
