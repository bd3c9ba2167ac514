items = data_bag('users').map { |id| data_bag_item('users', id) }
people = Users::Directory.new(items)

people.members_of(node['users']['groups']).each do |person|
  users_account person['id'] do
    uid person['uid']
    shell person['shell'] || node['users']['shell']
    keys person['ssh_keys'] || []
  end
end

people.gone.each do |person|
  users_account(person['id']) { action :remove }
end
