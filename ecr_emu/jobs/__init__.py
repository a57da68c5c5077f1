"""Background work. It runs in a child process: one computing thread would make every request wait."""
