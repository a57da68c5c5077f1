"""Damaged and hostile images for the scanner, a hundred thousand at a time."""
