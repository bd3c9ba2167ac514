# Old releases are kept so that a roll-back is one link away.
ruby_block 'remove old releases' do
  block do
    releases = Dir.glob("#{node['webshop']['root']}/releases/*").sort_by { |dir| File.mtime(dir) }
    releases[0...-node['webshop']['keep_releases']].each { |dir| FileUtils.rm_rf(dir) }
  end
end
