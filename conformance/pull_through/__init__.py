"""Pulls through a cache, from real registries and by many clients."""
