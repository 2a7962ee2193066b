"""The Debian package, and a real systemd to try it on."""
