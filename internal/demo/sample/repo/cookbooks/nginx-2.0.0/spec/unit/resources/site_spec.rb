require 'spec_helper'

describe 'nginx_site' do
  step_into :nginx_site
  platform 'debian', '12'

  recipe do
    nginx_site('shop.example.com') { backends ['10.20.0.11:8080'] }
  end

  it { is_expected.to create_link('/etc/nginx/sites-enabled/shop.example.com') }
end
