systemd_unit 'webshop.service' do
  content(
    Unit: { Description: 'The shop', After: 'network-online.target' },
    Service: {
      ExecStart: "/usr/bin/java -jar #{node['webshop']['root']}/current/webshop.jar",
      User: 'webshop', Restart: 'on-failure',
    },
    Install: { WantedBy: 'multi-user.target' }
  )
  action %i(create enable start)
end
