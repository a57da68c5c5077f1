-- Scans that failed, of which some wait for advisories.

CREATE INDEX image_scans_failed ON image_scans (image_id) WHERE status = 'FAILED';
