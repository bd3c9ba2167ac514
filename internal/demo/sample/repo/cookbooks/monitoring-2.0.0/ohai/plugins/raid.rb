Ohai.plugin(:Raid) do
  provides 'raid'

  collect_data(:linux) do
    next unless file_exist?('/proc/mdstat')

    raid Mash.new
    raid[:arrays] = file_read('/proc/mdstat').scan(/^(md\d+) : active/).flatten
  end
end
