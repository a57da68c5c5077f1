-- The first schema. Times are epoch seconds in UTC; sizes are bytes.

CREATE TABLE repositories (
    id INTEGER PRIMARY KEY AUTOINCREMENT,  -- never used twice: a request may still hold the id of one that went
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    created_at REAL NOT NULL,
    tag_mutability TEXT NOT NULL,
    mutability_filters TEXT NOT NULL,     -- JSON list of patterns
    scan_on_push INTEGER NOT NULL,
    encryption_type TEXT NOT NULL,
    kms_key TEXT,
    UNIQUE (account, region, name)
);

CREATE TABLE resource_tags (
    repository_id INTEGER NOT NULL REFERENCES repositories (id) ON DELETE CASCADE,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (repository_id, key)
) WITHOUT ROWID;

-- The exact bytes of every manifest, once, whichever repositories hold it.
CREATE TABLE manifests (
    digest TEXT PRIMARY KEY,
    body BLOB NOT NULL
);

CREATE TABLE images (
    id INTEGER PRIMARY KEY AUTOINCREMENT,  -- the order of pushing, never used twice
    repository_id INTEGER NOT NULL REFERENCES repositories (id) ON DELETE CASCADE,
    digest TEXT NOT NULL REFERENCES manifests (digest),
    media_type TEXT NOT NULL,
    artifact_type TEXT,
    subject_digest TEXT,
    size_bytes INTEGER NOT NULL,           -- imageSizeInBytes
    pushed_at REAL NOT NULL,
    UNIQUE (repository_id, digest)
);
CREATE INDEX images_by_digest ON images (digest);
CREATE INDEX images_by_subject ON images (repository_id, subject_digest) WHERE subject_digest IS NOT NULL;
CREATE INDEX images_by_order ON images (repository_id, id);

-- A manifest's bytes go with the last image that has them, however that image goes.
CREATE TRIGGER images_deleted AFTER DELETE ON images BEGIN
    DELETE FROM manifests WHERE digest = OLD.digest AND NOT EXISTS (SELECT 1 FROM images WHERE digest = OLD.digest);
END;

CREATE TABLE image_tags (
    repository_id INTEGER NOT NULL REFERENCES repositories (id) ON DELETE CASCADE,
    tag TEXT NOT NULL,
    image_id INTEGER NOT NULL REFERENCES images (id) ON DELETE CASCADE,
    PRIMARY KEY (repository_id, tag)
) WITHOUT ROWID;
CREATE INDEX image_tags_by_image ON image_tags (image_id, tag);

-- Which image of a repository needs which blob: configs and layers.
CREATE TABLE image_layers (
    repository_id INTEGER NOT NULL REFERENCES repositories (id) ON DELETE CASCADE,
    digest TEXT NOT NULL,
    image_id INTEGER NOT NULL REFERENCES images (id) ON DELETE CASCADE,
    media_type TEXT NOT NULL,
    PRIMARY KEY (repository_id, digest, image_id)
) WITHOUT ROWID;
CREATE INDEX image_layers_by_image ON image_layers (image_id);

-- Which index of a repository lists which image.
CREATE TABLE image_children (
    repository_id INTEGER NOT NULL REFERENCES repositories (id) ON DELETE CASCADE,
    child_digest TEXT NOT NULL,
    parent_id INTEGER NOT NULL REFERENCES images (id) ON DELETE CASCADE,
    PRIMARY KEY (repository_id, child_digest, parent_id)
) WITHOUT ROWID;
CREATE INDEX image_children_by_parent ON image_children (parent_id);

-- Bytes that are in place and synced. `file` is the name under the blob folder, never used twice.
CREATE TABLE blobs (
    digest TEXT PRIMARY KEY,
    file TEXT NOT NULL,
    size_bytes INTEGER NOT NULL
);

-- Which repository may serve which blob: those that were pushed or mounted into it.
CREATE TABLE layers (
    repository_id INTEGER NOT NULL REFERENCES repositories (id) ON DELETE CASCADE,
    digest TEXT NOT NULL REFERENCES blobs (digest),
    added_at REAL NOT NULL,
    PRIMARY KEY (repository_id, digest)
) WITHOUT ROWID;
CREATE INDEX layers_by_digest ON layers (digest);

-- Layers on their way in. The bytes are in the upload folder; received_bytes of them count.
CREATE TABLE uploads (
    id TEXT PRIMARY KEY,
    repository_id INTEGER NOT NULL REFERENCES repositories (id) ON DELETE CASCADE,
    received_bytes INTEGER NOT NULL,
    part_count INTEGER NOT NULL,           -- parts of the JSON API; the registry has no parts
    last_part_bytes INTEGER NOT NULL,
    short_part_count INTEGER NOT NULL,     -- parts under 5 MiB, the last one excepted
    touched_at REAL NOT NULL
);
CREATE INDEX uploads_by_repository ON uploads (repository_id);
