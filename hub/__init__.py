"""Store Hub: keeps one shop selling correctly, whatever the internet does."""

__version__ = "0.1.0"
