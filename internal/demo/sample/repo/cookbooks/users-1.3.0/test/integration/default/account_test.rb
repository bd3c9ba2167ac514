describe user('mara') do
  it { should exist }
  its('shell') { should eq '/bin/zsh' }
end
