require 'spec_helper'

describe 'base::default' do
  platform 'ubuntu', '24.04'

  it { is_expected.to create_template('/etc/motd') }
end
