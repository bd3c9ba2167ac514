default['webshop']['root'] = '/srv/webshop'
default['webshop']['port'] = 8080
default['webshop']['keep_releases'] = 3
