# Members of sysadmin become root with their own password.
file '/etc/sudoers.d/sysadmin' do
  content "%sysadmin ALL=(ALL:ALL) ALL\n"
  mode '0440'
  verify 'visudo -cf %{path}'
end
