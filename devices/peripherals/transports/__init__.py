"""Ways to a peripheral's bytes: TCP, USB printer class, serial lines, input events."""
