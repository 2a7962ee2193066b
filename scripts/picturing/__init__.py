"""Takes pictures of the technician's page, in a real browser, of a shop with a history."""
