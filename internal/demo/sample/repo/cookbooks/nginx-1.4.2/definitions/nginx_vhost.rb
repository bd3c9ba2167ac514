# For recipes from before there was nginx_site.
define :nginx_vhost, backends: [] do
  nginx_site params[:name] do
    backends params[:backends]
  end
end
