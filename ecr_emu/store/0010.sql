-- Signatures that are made: when they are due, which one is being stored, and the keys that make them.

ALTER TABLE image_signings ADD COLUMN due_at REAL;              -- while the status is IN_PROGRESS
ALTER TABLE image_signings ADD COLUMN signature_digest TEXT;    -- of the manifest, before it is stored
CREATE INDEX image_signings_by_time ON image_signings (due_at, image_id, profile_arn) WHERE due_at IS NOT NULL;

-- Keys and certificates, as PEM: of a signing profile by its ARN, of the root by ''.
CREATE TABLE signing_keys (
    name TEXT PRIMARY KEY,
    private_key TEXT NOT NULL,
    certificate TEXT NOT NULL
) WITHOUT ROWID;
