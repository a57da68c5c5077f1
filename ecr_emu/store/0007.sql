-- What moto knows of IAM in an account: its objects as bytes, and the principals that it brought (a JSON list
-- of kind and name).

CREATE TABLE moto_states (
    account TEXT PRIMARY KEY,
    version TEXT NOT NULL,                  -- of moto
    content BLOB NOT NULL,
    names TEXT NOT NULL
);

-- Tags of a session, a JSON object; they come before those of its role.
ALTER TABLE iam_keys ADD COLUMN tags TEXT NOT NULL DEFAULT '{}';
