default['nginx']['tls']['protocols'] = %w(TLSv1.2 TLSv1.3)
default['nginx']['tls']['session_timeout'] = '1d'
