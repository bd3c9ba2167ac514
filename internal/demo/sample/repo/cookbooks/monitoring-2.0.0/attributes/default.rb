default['monitoring']['scrape_interval'] = '30s'
default['monitoring']['retention_days'] = 15
default['monitoring']['thresholds']['disk_percent'] = 90
default['monitoring']['thresholds']['load_per_core'] = 1.5
