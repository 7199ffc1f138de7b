-- Schema 2: what the signing endpoint needs. Nothing of schema 1 changes.

-- A token with which a device or a fixture authenticates. Only the hash of the token is kept.
-- `used` counts its entries that are reserved, issued, or revoked after they were offered.
CREATE TABLE registrar(
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    token BLOB NOT NULL UNIQUE CHECK(length(token) = 32),
    production TEXT NOT NULL CHECK(production IN ('allow', 'require', 'refuse')),
    reissue INTEGER NOT NULL CHECK(reissue IN (0, 1)),
    networks TEXT NOT NULL,
    authorities TEXT NOT NULL,
    max INTEGER CHECK(max > 0),
    used INTEGER NOT NULL DEFAULT 0 CHECK(used >= 0),
    created_at INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    expires_at INTEGER,
    closed_at INTEGER,
    closed_by TEXT,
    CHECK((closed_at IS NULL) = (closed_by IS NULL))
) STRICT;

-- One row per entry that was reserved through the endpoint. Numbers ascend, so its last page is always the one in
-- use. A certificate whose `offered_at` is empty was never given to anybody.
CREATE TABLE registration(
    entry INTEGER PRIMARY KEY REFERENCES entry,
    registrar INTEGER REFERENCES registrar,
    name TEXT,
    source TEXT NOT NULL,
    gateway TEXT NOT NULL CHECK(gateway IN ('none', 'pending', 'done', 'refused')),
    offered_at INTEGER
) STRICT;
CREATE INDEX registration_pending ON registration(entry) WHERE gateway = 'pending';
