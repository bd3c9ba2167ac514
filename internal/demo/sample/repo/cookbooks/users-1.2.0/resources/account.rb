unified_mode true
provides :users_account

property :login, String, name_property: true
property :uid, Integer
property :shell, String, default: '/bin/bash'
property :keys, Array, default: []

action :create do
  user new_resource.login do
    uid new_resource.uid
    shell new_resource.shell
    manage_home true
  end

  directory "/home/#{new_resource.login}/.ssh" do
    owner new_resource.login
    mode '0700'
  end

  file "/home/#{new_resource.login}/.ssh/authorized_keys" do
    content new_resource.keys.join("\n") + "\n"
    owner new_resource.login
    mode '0600'
  end
end

action :remove do
  user new_resource.login do
    action :remove
  end
end
