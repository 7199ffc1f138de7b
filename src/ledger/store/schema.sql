-- Schema 1. Rows are never deleted; an entry only moves forward:
-- reserved → issued → revoked, or reserved → abandoned.

CREATE TABLE meta(
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE issuer(
    id INTEGER PRIMARY KEY,
    subject BLOB NOT NULL UNIQUE
) STRICT;

CREATE TABLE writer(
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    command TEXT NOT NULL,
    host TEXT NOT NULL,
    pid INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    ended_at INTEGER,
    head_seq INTEGER NOT NULL,
    head_hash BLOB NOT NULL CHECK(length(head_hash) = 32),
    head_at INTEGER NOT NULL
) STRICT;
-- The newest event of all writers: the clock guard asks for it once per group.
CREATE INDEX writer_head_at ON writer(head_at);
CREATE INDEX writer_running ON writer(id) WHERE ended_at IS NULL;

CREATE TABLE entry(
    id INTEGER PRIMARY KEY,
    issuer INTEGER NOT NULL REFERENCES issuer,
    serial BLOB NOT NULL,
    authority_key BLOB NOT NULL,
    profile TEXT NOT NULL,
    namespace TEXT,
    device TEXT,
    subject TEXT NOT NULL,
    key BLOB NOT NULL CHECK(length(key) = 32),
    tbs BLOB NOT NULL CHECK(length(tbs) = 32),
    not_after INTEGER NOT NULL,
    state TEXT NOT NULL CHECK(state IN ('reserved', 'issued', 'revoked', 'abandoned')),
    writer INTEGER NOT NULL REFERENCES writer,
    previous INTEGER REFERENCES entry CHECK(previous < id),
    reserved_at INTEGER NOT NULL,
    recorded_at INTEGER,
    ended_at INTEGER,
    reason INTEGER,
    certificate BLOB,
    UNIQUE(serial, issuer),
    CHECK((namespace IS NULL) = (device IS NULL)),
    CHECK((state IN ('issued', 'revoked')) = (certificate IS NOT NULL)),
    CHECK((certificate IS NULL) = (recorded_at IS NULL)),
    CHECK((state IN ('revoked', 'abandoned')) = (ended_at IS NOT NULL)),
    CHECK((state = 'revoked') = (reason IS NOT NULL))
) STRICT;
-- Three small indexes, so that nothing common reads a million certificates:
-- CA and server certificates by key, intents without result, and what a CRL lists.
CREATE INDEX entry_unclaimed ON entry(key) WHERE namespace IS NULL;
CREATE INDEX entry_unsigned ON entry(writer) WHERE certificate IS NULL;
CREATE INDEX entry_revoked ON entry(id) WHERE state = 'revoked';

-- One row per device and namespace, pointing at the entry that holds its place:
-- "one live certificate per device" holds by construction. History follows entry.previous.
CREATE TABLE device(
    namespace TEXT NOT NULL,
    device TEXT NOT NULL,
    entry INTEGER NOT NULL REFERENCES entry,
    PRIMARY KEY(namespace, device)
) STRICT, WITHOUT ROWID;

-- A key reserved for a device belongs to it for ever.
CREATE TABLE key(
    key BLOB NOT NULL CHECK(length(key) = 32),
    namespace TEXT NOT NULL,
    device TEXT NOT NULL,
    compromised INTEGER NOT NULL DEFAULT 0 CHECK(compromised IN (0, 1)),
    PRIMARY KEY(key, namespace)
) STRICT, WITHOUT ROWID;

-- A permit whose entry was abandoned counts as unused again.
CREATE TABLE permit(
    id INTEGER PRIMARY KEY,
    namespace TEXT NOT NULL,
    device TEXT NOT NULL,
    allowed_by TEXT NOT NULL,
    allowed_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    used_by INTEGER REFERENCES entry
) STRICT;
CREATE INDEX permit_device ON permit(namespace, device);

CREATE TABLE refusal(
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    writer INTEGER NOT NULL REFERENCES writer,
    source TEXT NOT NULL,
    profile TEXT NOT NULL,
    device TEXT,
    key BLOB CHECK(length(key) = 32),
    rule TEXT NOT NULL,
    message TEXT NOT NULL
) STRICT;

-- The audit chains: one per writer, one event per transaction.
CREATE TABLE event(
    writer INTEGER NOT NULL REFERENCES writer,
    seq INTEGER NOT NULL,
    at INTEGER NOT NULL,
    body TEXT NOT NULL,
    hash BLOB NOT NULL CHECK(length(hash) = 32),
    PRIMARY KEY(writer, seq)
) STRICT, WITHOUT ROWID;
