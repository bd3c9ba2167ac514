package 'restic'

cookbook_file '/etc/backup/excludes.txt' do
  source 'excludes.latin1.txt'
end

cron 'backup' do
  hour 2
  minute node['fqdn'].sum % 60 # so that not all begin at once
  command '/usr/local/sbin/nightly-backup'
end

cookbook_file '/usr/local/sbin/nightly-backup' do
  source 'nightly-backup.sh'
  mode '0755'
end
