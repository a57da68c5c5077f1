"""Entrance of the other direction: events on their way out."""
