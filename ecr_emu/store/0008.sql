-- Scans that look: when they are due, what they found, and what is in an image.

ALTER TABLE image_scans ADD COLUMN scan_type TEXT NOT NULL DEFAULT 'BASIC';
ALTER TABLE image_scans ADD COLUMN due_at REAL;                 -- while a scan waits or runs
ALTER TABLE image_scans ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0;
ALTER TABLE image_scans ADD COLUMN completed_at REAL;
ALTER TABLE image_scans ADD COLUMN source_updated_at REAL;      -- of the advisories
ALTER TABLE image_scans ADD COLUMN revision TEXT NOT NULL DEFAULT '';
ALTER TABLE image_scans ADD COLUMN counts TEXT NOT NULL DEFAULT '{}';
ALTER TABLE image_scans ADD COLUMN about TEXT NOT NULL DEFAULT '{}';      -- the image, for the API
ALTER TABLE image_scans ADD COLUMN engine TEXT NOT NULL DEFAULT '';       -- who compared
ALTER TABLE image_scans ADD COLUMN is_continuous INTEGER NOT NULL DEFAULT 0;
ALTER TABLE image_scans ADD COLUMN is_injected INTEGER NOT NULL DEFAULT 0;
CREATE INDEX image_scans_by_time ON image_scans (due_at, image_id) WHERE due_at IS NOT NULL;
CREATE INDEX image_scans_continuous ON image_scans (image_id) WHERE is_continuous;

-- In the shape of the API, in the order of the answer.
CREATE TABLE image_findings (
    image_id INTEGER NOT NULL REFERENCES image_scans (image_id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (image_id, position)
) WITHOUT ROWID;

-- What is installed: CycloneDX, compressed by zlib.
CREATE TABLE image_sboms (
    image_id INTEGER PRIMARY KEY REFERENCES images (id) ON DELETE CASCADE,
    has_languages INTEGER NOT NULL,
    body BLOB NOT NULL
);

-- What the user wants to be found. NULL and '' mean any.
CREATE TABLE injected_scans (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    repository TEXT NOT NULL,
    body TEXT NOT NULL
);
CREATE INDEX injected_scans_by_registry ON injected_scans (account, region);

-- Scans that failed, of which some wait for advisories.

CREATE INDEX image_scans_failed ON image_scans (image_id) WHERE status = 'FAILED';
