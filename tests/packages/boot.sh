# Boots systemd in a copy of this system, for host_test.go.
#
#   boot.sh DIR CGROUP SHARED
#
# The copy is an overlay: what it writes is in memory, in a mount namespace of its
# own, and gone with its last process. SHARED is visible there as /mnt. It has the
# network of this system. The caller's standard input and death end it.
set -e

if [ "$4" != inside ]; then
	# A control group of its own, so that two of them and we do not meet.
	for tree in /sys/fs/cgroup /sys/fs/cgroup/systemd /sys/fs/cgroup/unified; do
		if [ -w "$tree/cgroup.procs" ]; then
			mkdir "$tree/$2"
			echo $$ >"$tree/$2/cgroup.procs"
		fi
	done
	exec unshare --mount --pid --cgroup --uts --ipc --fork --kill-child /bin/sh "$0" "$1" "$2" "$3" inside
fi

mount --make-rprivate /
mount -t tmpfs -o mode=755 none "$1"
cd "$1"
mkdir up work root
mount -t overlay overlay -o lowerdir=/,upperdir=up,workdir=work root
cd root

mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t tmpfs -o mode=755 none run
mount -t tmpfs -o mode=1777 none tmp
mount -t tmpfs -o mode=755 none dev
for node in null zero full random urandom tty; do
	: >"dev/$node"
	mount --bind "/dev/$node" "dev/$node"
done
ln -s pts/ptmx dev/ptmx
mount --bind "$3" mnt
# What would reach beyond: kernel settings, the clock, devices.
mount -o remount,ro,bind sys
mount --bind proc/sys proc/sys
mount -o remount,ro,bind proc/sys

# Nothing of this system starts there but the journal; nor is anything of chef-sync
# there, should this system have it.
rm -rf etc/systemd/system/*.wants lib/systemd/system/*.wants usr/lib/systemd/system/*.wants
rm -rf etc/chef-sync opt/chef-sync var/opt/chef-sync var/log/opscode usr/sbin/policy-rc.d
echo "$2" >etc/hostname
exec env -i container=chef-sync-test PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot . /lib/systemd/systemd --system --unit=basic.target --show-status=0
