"""Pure rules: no clock, no files, no HTTP. Data and time come in as arguments; a decision comes out."""
