control 'time-01' do
  impact 0.5
  title 'The clock is kept'
  describe service('chrony') do
    it { should be_running }
  end
end
