# Step the clock in the first updates only; later it is slewed.
default['ntp']['chrony']['makestep'] = '1.0 3'
default['ntp']['chrony']['minpoll'] = 6
default['ntp']['chrony']['maxpoll'] = 10
