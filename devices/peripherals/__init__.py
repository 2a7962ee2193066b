"""What hangs on the box or its network without MQTT of its own: printers, drawers, scanners, scales
and displays, driven by the hub."""
