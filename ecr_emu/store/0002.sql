-- What the other operations keep: documents, storage classes, scans, replications, signatures.

-- A restored image is ACTIVATING, and counts as ACTIVE from activated_at on.
ALTER TABLE images ADD COLUMN status TEXT NOT NULL DEFAULT 'ACTIVE';
ALTER TABLE images ADD COLUMN archived_at REAL;
ALTER TABLE images ADD COLUMN activated_at REAL;
ALTER TABLE images ADD COLUMN pulled_at REAL;          -- lastRecordedPullTime

-- Settings of a registry, one document each: kind is registry-policy, pull-through-cache-rule and so on, key
-- tells several of a kind apart. body is JSON, or the text of a policy.
CREATE TABLE registry_documents (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    body TEXT NOT NULL,
    created_at REAL NOT NULL,
    updated_at REAL NOT NULL,
    PRIMARY KEY (account, region, kind, key)
) WITHOUT ROWID;

-- The same for a repository: policy, lifecycle-policy.
CREATE TABLE repository_documents (
    repository_id INTEGER NOT NULL REFERENCES repositories (id) ON DELETE CASCADE,
    kind TEXT NOT NULL,
    body TEXT NOT NULL,
    updated_at REAL NOT NULL,
    PRIMARY KEY (repository_id, kind)
) WITHOUT ROWID;

-- The last scan of an image. What is not known is NULL.
CREATE TABLE image_scans (
    image_id INTEGER PRIMARY KEY REFERENCES images (id) ON DELETE CASCADE,
    status TEXT NOT NULL,
    description TEXT NOT NULL,
    started_at REAL NOT NULL
);

-- What was to be copied where when an image was pushed, and what became of it.
CREATE TABLE image_replications (
    image_id INTEGER NOT NULL REFERENCES images (id) ON DELETE CASCADE,
    region TEXT NOT NULL,
    account TEXT NOT NULL,
    status TEXT NOT NULL,
    failure_code TEXT,
    PRIMARY KEY (image_id, region, account)
) WITHOUT ROWID;

-- Which profiles were to sign an image when it was pushed, and what became of it.
CREATE TABLE image_signings (
    image_id INTEGER NOT NULL REFERENCES images (id) ON DELETE CASCADE,
    profile_arn TEXT NOT NULL,
    status TEXT NOT NULL,
    failure_code TEXT,
    failure_reason TEXT,
    PRIMARY KEY (image_id, profile_arn)
) WITHOUT ROWID;
