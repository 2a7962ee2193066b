"""ESC/POS: documents as bytes for receipt printers, and what such printers answer."""
