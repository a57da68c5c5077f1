"""Nothing acknowledged is lost: a server that is killed, and a disk that loses what was not synced."""
