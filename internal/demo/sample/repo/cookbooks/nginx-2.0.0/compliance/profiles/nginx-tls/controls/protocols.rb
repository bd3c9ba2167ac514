control 'tls-01' do
  impact 1.0
  title 'No TLS before 1.2'
  describe file('/etc/nginx/conf.d/tls.conf') do
    its('content') { should_not match(/TLSv1(\.1)?[ ;]/) }
  end
end
