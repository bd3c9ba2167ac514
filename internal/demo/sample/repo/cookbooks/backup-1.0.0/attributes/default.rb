default['backup']['vault'] = 'vault.example.com'
default['backup']['paths'] = %w(/etc /srv)
default['backup']['keep']['daily'] = 14
default['backup']['keep']['weekly'] = 8
