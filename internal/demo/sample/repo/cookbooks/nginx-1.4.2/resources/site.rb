unified_mode true
provides :nginx_site

property :host, String, name_property: true
property :backends, Array, required: true
property :port, Integer, default: 80

action :enable do
  template "/etc/nginx/sites-available/#{new_resource.host}" do
    cookbook 'nginx'
    source 'site.erb'
    variables host: new_resource.host, port: new_resource.port, backends: new_resource.backends
  end

  link "/etc/nginx/sites-enabled/#{new_resource.host}" do
    to "/etc/nginx/sites-available/#{new_resource.host}"
  end
end

action :disable do
  link "/etc/nginx/sites-enabled/#{new_resource.host}" do
    action :delete
  end
end
