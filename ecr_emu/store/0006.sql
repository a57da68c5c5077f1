-- Who can sign. Secrets and tokens are plain: to verify a signature takes the secret itself.

CREATE TABLE iam_accounts (
    account TEXT PRIMARY KEY,
    organization TEXT,
    alias TEXT,
    is_of_file INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE iam_principals (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,                     -- root, user, role
    account TEXT NOT NULL,
    name TEXT NOT NULL,
    path TEXT NOT NULL,
    unique_id TEXT NOT NULL,
    policies TEXT NOT NULL,                 -- JSON lists: domain/principals.py
    boundary TEXT NOT NULL,
    trust TEXT NOT NULL,
    tags TEXT NOT NULL,                     -- JSON object
    is_of_file INTEGER NOT NULL,            -- 1 if the last file named it, which the next file may not
    UNIQUE (account, kind, name)
);

CREATE TABLE iam_keys (
    id TEXT PRIMARY KEY,
    principal_id INTEGER NOT NULL REFERENCES iam_principals (id) ON DELETE CASCADE,
    secret TEXT NOT NULL,
    session_name TEXT NOT NULL,             -- empty but for sessions of roles
    token TEXT NOT NULL,
    expires_at REAL,
    policies TEXT NOT NULL,
    is_of_file INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX iam_keys_by_principal ON iam_keys (principal_id);
