data_bag('apps').each do |id|
  database = data_bag_item('apps', id)['database']
  next unless database

  postgresql_database database['name'] do
    owner database['owner']
  end
end
