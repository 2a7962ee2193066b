"""The only door that changes anything.

``gate`` takes typed commands from every side (device, web page, command line, cloud) through
repetition check, permission and rule into one transaction; ``handlers`` decide and write, one
module a subject; ``notices`` are what the rest of the hub is told after the commit.
"""
