"""The metadata database: one SQLite file, read and written with SQL by hand."""
