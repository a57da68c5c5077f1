"""Asking other registries: over HTTP, with a login where they want one, without trusting what they say."""
