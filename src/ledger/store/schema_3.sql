-- Schema 3: certificate revocation lists. Nothing of schemas 1 and 2 changes.

-- One row per list, made before it is signed: its number is never used again, whatever becomes of the list.
-- The list itself is in a file; `sha256` says which.
CREATE TABLE crl(
    id INTEGER PRIMARY KEY,
    issuer INTEGER NOT NULL REFERENCES issuer,
    authority_key BLOB NOT NULL,
    number INTEGER NOT NULL CHECK(number > 0),
    this_update INTEGER NOT NULL,
    next_update INTEGER NOT NULL CHECK(next_update > this_update),
    entries INTEGER NOT NULL CHECK(entries >= 0),
    writer INTEGER NOT NULL REFERENCES writer,
    reserved_at INTEGER NOT NULL,
    recorded_at INTEGER,
    sha256 BLOB CHECK(length(sha256) = 32),
    UNIQUE(issuer, number),
    CHECK((sha256 IS NULL) = (recorded_at IS NULL))
) STRICT;
