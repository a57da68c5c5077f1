-- What listings skip, so that a page costs the same whatever is left out of it, and counts for metrics.

-- 1 for an image with a tag. Triggers keep it.
ALTER TABLE images ADD COLUMN is_tagged INTEGER NOT NULL DEFAULT 0;
UPDATE images SET is_tagged = 1 WHERE id IN (SELECT image_id FROM image_tags);
CREATE INDEX images_by_kind ON images (repository_id, is_tagged, status, id);

-- 1 for a tag of an archived image. Triggers keep it. The index has the tags that the registry lists.
ALTER TABLE image_tags ADD COLUMN is_archived INTEGER NOT NULL DEFAULT 0;
UPDATE image_tags SET is_archived = 1 WHERE image_id IN (SELECT id FROM images WHERE status = 'ARCHIVED');
CREATE INDEX image_tags_listed ON image_tags (repository_id, tag) WHERE is_archived = 0;

CREATE TRIGGER image_tags_given AFTER INSERT ON image_tags BEGIN
    UPDATE images SET is_tagged = 1 WHERE id = NEW.image_id AND is_tagged = 0;
    UPDATE image_tags SET is_archived = 1 WHERE repository_id = NEW.repository_id AND tag = NEW.tag
        AND is_archived = 0 AND EXISTS (SELECT 1 FROM images WHERE id = NEW.image_id AND status = 'ARCHIVED');
END;
CREATE TRIGGER image_tags_moved AFTER UPDATE OF image_id ON image_tags WHEN NEW.image_id <> OLD.image_id BEGIN
    UPDATE images SET is_tagged = 1 WHERE id = NEW.image_id AND is_tagged = 0;
    UPDATE images SET is_tagged = 0 WHERE id = OLD.image_id
        AND NOT EXISTS (SELECT 1 FROM image_tags WHERE image_id = OLD.image_id);
    UPDATE image_tags SET is_archived = (SELECT status = 'ARCHIVED' FROM images WHERE id = NEW.image_id)
        WHERE repository_id = NEW.repository_id AND tag = NEW.tag;
END;
-- When the image itself goes, its row is gone before its tags are.
CREATE TRIGGER image_tags_taken AFTER DELETE ON image_tags BEGIN
    UPDATE images SET is_tagged = 0 WHERE id = OLD.image_id
        AND NOT EXISTS (SELECT 1 FROM image_tags WHERE image_id = OLD.image_id);
END;
CREATE TRIGGER images_archived AFTER UPDATE OF status ON images
WHEN (NEW.status = 'ARCHIVED') <> (OLD.status = 'ARCHIVED') BEGIN
    UPDATE image_tags SET is_archived = (NEW.status = 'ARCHIVED') WHERE image_id = NEW.id;
END;

-- How much there is in all registries.
CREATE TABLE totals (
    name TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO totals VALUES
    ('images', (SELECT count(*) FROM images)),
    ('blobs', (SELECT count(*) FROM blobs)),
    ('blob_bytes', (SELECT coalesce(sum(size_bytes), 0) FROM blobs)),
    ('uploads', (SELECT count(*) FROM uploads));

CREATE TRIGGER images_total_up AFTER INSERT ON images BEGIN
    UPDATE totals SET value = value + 1 WHERE name = 'images';
END;
CREATE TRIGGER images_total_down AFTER DELETE ON images BEGIN
    UPDATE totals SET value = value - 1 WHERE name = 'images';
END;
CREATE TRIGGER blobs_total_up AFTER INSERT ON blobs BEGIN
    UPDATE totals SET value = value + 1 WHERE name = 'blobs';
    UPDATE totals SET value = value + NEW.size_bytes WHERE name = 'blob_bytes';
END;
CREATE TRIGGER blobs_total_down AFTER DELETE ON blobs BEGIN
    UPDATE totals SET value = value - 1 WHERE name = 'blobs';
    UPDATE totals SET value = value - OLD.size_bytes WHERE name = 'blob_bytes';
END;
CREATE TRIGGER uploads_total_up AFTER INSERT ON uploads BEGIN
    UPDATE totals SET value = value + 1 WHERE name = 'uploads';
END;
CREATE TRIGGER uploads_total_down AFTER DELETE ON uploads BEGIN
    UPDATE totals SET value = value - 1 WHERE name = 'uploads';
END;

-- Results of a preview are asked for by tag status, digest and tag.
CREATE INDEX lifecycle_preview_results_by_kind ON lifecycle_preview_results (repository_id, tags = '', position);
CREATE INDEX lifecycle_preview_results_by_digest ON lifecycle_preview_results (repository_id, digest);
CREATE TABLE lifecycle_preview_tags (
    repository_id INTEGER NOT NULL REFERENCES lifecycle_previews (repository_id) ON DELETE CASCADE,
    tag TEXT NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (repository_id, tag, position)
) WITHOUT ROWID;
CREATE INDEX lifecycle_preview_tags_by_result ON lifecycle_preview_tags (repository_id, position);
-- Those of earlier previews: one tag after the other, split off the front.
WITH RECURSIVE split (repository_id, position, tag, rest) AS (
    SELECT repository_id, position, '', tags || ',' FROM lifecycle_preview_results WHERE tags <> ''
    UNION ALL
    SELECT repository_id, position, substr(rest, 1, instr(rest, ',') - 1), substr(rest, instr(rest, ',') + 1)
    FROM split WHERE rest <> ''
)
INSERT INTO lifecycle_preview_tags (repository_id, tag, position)
    SELECT repository_id, tag, position FROM split WHERE tag <> '';
