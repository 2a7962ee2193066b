-- Unsent events that moved here when their database turned out to be a copy: until the last of them
-- is acked, nothing since the first one's old place is safe.
ALTER TABLE sources ADD COLUMN moved_from_id INTEGER;
ALTER TABLE sources ADD COLUMN moved_last_id INTEGER;
