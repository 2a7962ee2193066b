"""Card payments at the gate: the one book that changes them, and the commands that reach it."""
