-- A session of the page may be a member of staff's, opened with their PIN.
ALTER TABLE web_sessions ADD COLUMN staff_id TEXT;
ALTER TABLE web_sessions ADD COLUMN pin_mark BLOB;  -- sha256 of the PIN's stored form at sign-in
