master 'http://10.0.0.5:4545'
master_organizations false
replica 'http://10.0.0.6:4545/organizations/x'
replica_organizations false
organizations ['one', 'two']
