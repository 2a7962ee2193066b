#!/bin/sh
# What the virtual machine does once its disks are there: start udev, play the trial, go out.
# Its words for the host go to the second serial line, all else to the console.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8
export PYTHONPATH=/srv/store-hub:/opt/site
mkdir -p /dev/pts /dev/shm
mount -t devpts none /dev/pts
mount -t tmpfs none /dev/shm
busybox ip link set lo up
busybox hostname usbvm
/lib/systemd/systemd-udevd --daemon
# Each gadget has a controller of its own, and so a socket of its own.
modprobe dummy_hcd num=4
modprobe libcomposite
mount -t configfs none /sys/kernel/config
udevadm trigger --action=add
udevadm settle --timeout=120
stty -F /dev/ttyS1 raw -echo
python3 -m scripts.usbvm.inside >/dev/ttyS1
sync
busybox poweroff -f
