"""A gallery of every document a shop prints."""
