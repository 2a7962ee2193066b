-- What this shop's return codes were ever signed under, each told to the cloud once.
CREATE TABLE return_keys (
    public_key TEXT PRIMARY KEY,                 -- 32 bytes, base64url with padding
    told_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
