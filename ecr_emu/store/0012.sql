-- When what an upstream registry gave was last compared with the upstream, and when that last failed.
-- `reference` is a tag, or the digest of an image whose referrers were listed; `digest` is what it meant.

CREATE TABLE upstream_checks (
    repository_id INTEGER NOT NULL REFERENCES repositories (id) ON DELETE CASCADE,
    reference TEXT NOT NULL,
    digest TEXT NOT NULL,
    checked_at REAL NOT NULL,
    failed_at REAL,
    PRIMARY KEY (repository_id, reference)
) WITHOUT ROWID;
