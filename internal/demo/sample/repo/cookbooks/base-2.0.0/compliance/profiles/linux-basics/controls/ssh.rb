control 'ssh-01' do
  impact 0.8
  title 'Nobody logs in as root with a password'
  describe sshd_config do
    its('PermitRootLogin') { should be_in %w(no prohibit-password) }
  end
end
