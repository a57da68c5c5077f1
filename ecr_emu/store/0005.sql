-- How much there is, counted as it comes and goes: limits are looked at on every push, and counting then would
-- take longer the more there is.

ALTER TABLE repositories ADD COLUMN image_count INTEGER NOT NULL DEFAULT 0;
UPDATE repositories SET image_count = (SELECT count(*) FROM images WHERE repository_id = repositories.id);

CREATE TRIGGER images_count_up AFTER INSERT ON images BEGIN
    UPDATE repositories SET image_count = image_count + 1 WHERE id = NEW.repository_id;
END;
-- When the repository itself goes, its row is gone before its images are, and nothing is counted.
CREATE TRIGGER images_count_down AFTER DELETE ON images BEGIN
    UPDATE repositories SET image_count = image_count - 1 WHERE id = OLD.repository_id;
END;

-- A registry without a repository has no row.
CREATE TABLE registry_counts (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    repository_count INTEGER NOT NULL,
    PRIMARY KEY (account, region)
) WITHOUT ROWID;
INSERT INTO registry_counts SELECT account, region, count(*) FROM repositories GROUP BY account, region;

CREATE TRIGGER repositories_count_up AFTER INSERT ON repositories BEGIN
    INSERT INTO registry_counts (account, region, repository_count) VALUES (NEW.account, NEW.region, 1)
    ON CONFLICT (account, region) DO UPDATE SET repository_count = repository_count + 1;
END;
CREATE TRIGGER repositories_count_down AFTER DELETE ON repositories BEGIN
    UPDATE registry_counts SET repository_count = repository_count - 1
    WHERE account = OLD.account AND region = OLD.region;
    DELETE FROM registry_counts WHERE account = OLD.account AND region = OLD.region AND repository_count = 0;
END;
