"""The composition root: what is made of what, and the order in which it starts and stops."""
