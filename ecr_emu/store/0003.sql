-- Time that the user owns, jobs that fall due by it, and what lifecycle policies did.

-- At most one row; none means the machine's time.
CREATE TABLE clock (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    ahead_seconds REAL NOT NULL,
    frozen_at REAL                          -- NULL while time passes
);

-- What is to be done, and when. A job that comes back gets another time; one that does not is deleted.
CREATE TABLE jobs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,                     -- sweep, lifecycle, preview
    repository_id INTEGER REFERENCES repositories (id) ON DELETE CASCADE,
    due_at REAL NOT NULL
);
CREATE UNIQUE INDEX jobs_by_kind ON jobs (kind, coalesce(repository_id, 0));
CREATE INDEX jobs_by_time ON jobs (due_at, id);
CREATE INDEX jobs_by_repository ON jobs (repository_id);

-- The lifecycle policy of a repository.
CREATE TABLE lifecycle_policies (
    repository_id INTEGER PRIMARY KEY REFERENCES repositories (id) ON DELETE CASCADE,
    policy_text TEXT NOT NULL,              -- in canonical form
    evaluated_at REAL                       -- when this text last ran
);

-- The last preview of a repository.
CREATE TABLE lifecycle_previews (
    repository_id INTEGER PRIMARY KEY REFERENCES repositories (id) ON DELETE CASCADE,
    policy_text TEXT NOT NULL,
    status TEXT NOT NULL,
    ended_at REAL,
    expiring_count INTEGER NOT NULL DEFAULT 0,
    transitioning_count INTEGER NOT NULL DEFAULT 0
);

-- The images that it would touch, as they were.
CREATE TABLE lifecycle_preview_results (
    repository_id INTEGER NOT NULL REFERENCES lifecycle_previews (repository_id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    digest TEXT NOT NULL,
    tags TEXT NOT NULL,                     -- joined by commas
    pushed_at REAL NOT NULL,
    storage_class TEXT NOT NULL,
    action TEXT NOT NULL,
    rule_priority INTEGER NOT NULL,
    PRIMARY KEY (repository_id, position)
) WITHOUT ROWID;

-- Until now both were documents: policies that never ran, previews that never ended.
INSERT INTO lifecycle_policies (repository_id, policy_text)
    SELECT repository_id, body FROM repository_documents WHERE kind = 'lifecycle-policy';
INSERT INTO jobs (kind, repository_id, due_at)
    SELECT 'lifecycle', repository_id, updated_at + 86400 FROM repository_documents WHERE kind = 'lifecycle-policy';
DELETE FROM repository_documents WHERE kind IN ('lifecycle-policy', 'lifecycle-preview');
