"""Printers and scanners as real USB devices: a kernel's gadgets in a virtual machine.

``python -m scripts.usbvm`` boots a small Debian in QEMU.  In it Linux plays the devices (configfs
gadgets on ``dummy_hcd``, and QEMU's own on its controller), Linux's own drivers find them (usblp,
cdc_acm, ftdi_sio, usbhid with evdev), udev names them, and the real daemon drives them.
"""
