"""Bytes by digest: uploads on their way in, blobs in place."""
