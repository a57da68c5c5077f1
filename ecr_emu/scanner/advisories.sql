-- The advisory database: what was read from OSV zips, by ecosystem and name of package.

-- One file that was added.
CREATE TABLE source (
    id INTEGER PRIMARY KEY,
    origin TEXT NOT NULL,
    added_at REAL NOT NULL,
    digest TEXT NOT NULL
);

-- What a file holds of an ecosystem that it is about ("Debian", with all releases).
CREATE TABLE content (
    source INTEGER NOT NULL,
    family TEXT NOT NULL,
    records INTEGER NOT NULL,
    withdrawn INTEGER NOT NULL,
    packages INTEGER NOT NULL,
    modified_at REAL NOT NULL,
    PRIMARY KEY (source, family)
) WITHOUT ROWID;

-- "Debian:12". A file about npm also names some packages of PyPI: that does not make it cover PyPI.
CREATE TABLE ecosystem (
    id INTEGER PRIMARY KEY,
    source INTEGER NOT NULL,
    name TEXT NOT NULL,
    is_covered INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX ecosystem_name ON ecosystem (name);

-- Of two records with one id the later modified one counts: is_newest.
CREATE TABLE record (
    id INTEGER PRIMARY KEY,
    source INTEGER NOT NULL,
    osv_id TEXT NOT NULL,
    modified_at REAL NOT NULL,
    withdrawn_at REAL,
    is_newest INTEGER NOT NULL DEFAULT 1,
    body BLOB NOT NULL
);
CREATE INDEX record_osv_id ON record (osv_id, modified_at);
CREATE INDEX record_source ON record (source);
CREATE INDEX record_older ON record (id) WHERE is_newest = 0;

CREATE TABLE affected (
    ecosystem INTEGER NOT NULL,
    name TEXT NOT NULL,
    record INTEGER NOT NULL,
    number INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (ecosystem, name, record, number)
) WITHOUT ROWID;
