-- What happened, in EventBridge's shape, and how far each target of --events has got.

CREATE TABLE events (
    id INTEGER PRIMARY KEY AUTOINCREMENT,  -- the order of what happened, never used twice: targets count by it
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    repository TEXT NOT NULL,              -- '' when it is about none
    detail_type TEXT NOT NULL,
    at REAL NOT NULL,                      -- the emulator's clock
    body BLOB NOT NULL                     -- JSON
);

-- `cursor` is the number of the last event that the target has for sure.
CREATE TABLE event_targets (
    name TEXT PRIMARY KEY,
    cursor INTEGER NOT NULL,
    is_active INTEGER NOT NULL             -- events wait for it
) WITHOUT ROWID;
