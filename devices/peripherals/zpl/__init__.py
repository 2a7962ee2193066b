"""ZPL II: labels as text for label printers (Zebra and what speaks like them), and their status."""
