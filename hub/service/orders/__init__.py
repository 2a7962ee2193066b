"""Online orders that the cloud gives to this shop: taken in, reserved for, and ended."""
