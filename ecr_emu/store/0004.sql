-- Images that nobody pushed.

-- 1 for an image that is known by a record alone: its layers and children may not be here, and if nobody knows
-- the bytes of its manifest, the body in `manifests` is empty. 0 as soon as somebody pushes it.
ALTER TABLE images ADD COLUMN is_record INTEGER NOT NULL DEFAULT 0;
