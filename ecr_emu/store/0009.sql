-- Replication that copies: what of an image is still to be copied where, and backfills with their results.

ALTER TABLE image_replications ADD COLUMN tags TEXT NOT NULL DEFAULT '';        -- joined by commas
ALTER TABLE image_replications ADD COLUMN waiting_since REAL;                   -- NULL when nothing is to be done
ALTER TABLE image_replications ADD COLUMN turn INTEGER NOT NULL DEFAULT 0;      -- another one: pushed again
ALTER TABLE image_replications ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0;
CREATE INDEX image_replications_waiting ON image_replications (region, attempts, waiting_since, image_id)
    WHERE waiting_since IS NOT NULL;

-- Those that an earlier version promised, and never copied.
UPDATE image_replications SET
    waiting_since = (SELECT pushed_at FROM images WHERE id = image_id),
    tags = coalesce((SELECT group_concat(tag, ',') FROM image_tags t
        WHERE t.image_id = image_replications.image_id), '')
    WHERE status = 'IN_PROGRESS';

CREATE TABLE replication_backfills (
    id TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    to_account TEXT NOT NULL,
    to_region TEXT NOT NULL,
    status TEXT NOT NULL,
    started_at REAL NOT NULL,
    ended_at REAL,
    failure_code TEXT,
    total_count INTEGER                     -- NULL until it is known what is to be copied
) WITHOUT ROWID;
CREATE INDEX replication_backfills_by_registry ON replication_backfills (account, region);
CREATE INDEX replication_backfills_running ON replication_backfills (to_region) WHERE ended_at IS NULL;

-- Each image with each of its tags, in the order of copying. IN_PROGRESS until it was tried.
CREATE TABLE replication_backfill_results (
    backfill_id TEXT NOT NULL REFERENCES replication_backfills (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    repository TEXT NOT NULL,
    digest TEXT NOT NULL,
    tag TEXT NOT NULL,                      -- empty for the image alone
    is_index INTEGER NOT NULL,
    status TEXT NOT NULL DEFAULT 'IN_PROGRESS',
    failure_code TEXT,
    sub_codes TEXT NOT NULL DEFAULT '',     -- joined by commas
    attempts INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (backfill_id, position)
) WITHOUT ROWID;
CREATE INDEX replication_backfill_results_by_status
    ON replication_backfill_results (backfill_id, status, position);

-- Until now they were documents, and copied nothing. Those that were not stopped begin now.
INSERT INTO replication_backfills (id, account, region, to_account, to_region, status, started_at, ended_at)
    SELECT key, account, region, json_extract(body, '$[0]'), json_extract(body, '$[1]'),
        json_extract(body, '$[2]'), json_extract(body, '$[3]'), json_extract(body, '$[4]')
    FROM registry_documents WHERE kind = 'replication-backfill';
DELETE FROM registry_documents WHERE kind = 'replication-backfill';

-- Deletions that go where a rule replicates them. A tag alone, or the image when there is none.
CREATE TABLE replicated_deletions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account TEXT NOT NULL,
    source_region TEXT NOT NULL,
    to_account TEXT NOT NULL,
    region TEXT NOT NULL,
    repository TEXT NOT NULL,
    digest TEXT NOT NULL,
    tag TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX replicated_deletions_by_region ON replicated_deletions (region, id);
