"""The entrance for people and tests: pages and the /_emu/ calls. The only code that uses Flask."""
