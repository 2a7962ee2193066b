"""What the hub counts about itself, and how it is told to whoever watches many hubs."""
