master 'https://chef-1.example.com/organizations/acme'
