# Databases and proxies run out of the default 1024 first.
file '/etc/security/limits.d/90-nofile.conf' do
  content "* - nofile #{node['base']['limits']['nofile']}\n"
  mode '0644'
end
