"""One file a driver; each is found by :mod:`devices.peripherals.catalogue`."""
