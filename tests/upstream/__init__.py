"""Pulls through a cache: real upstreams in this process, and bad ones."""
