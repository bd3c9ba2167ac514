include_recipe 'postgresql::server'
