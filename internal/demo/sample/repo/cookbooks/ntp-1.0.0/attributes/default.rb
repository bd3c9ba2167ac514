default['ntp']['servers'] = %w(ntp1.example.com ntp2.example.com)
