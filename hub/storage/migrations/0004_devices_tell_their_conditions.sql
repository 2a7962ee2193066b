-- Version 4. What devices say is the matter with what is attached to them.

ALTER TABLE devices ADD COLUMN conditions TEXT NOT NULL DEFAULT '{}';  -- {condition: since_ms}
