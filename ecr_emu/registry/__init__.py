"""The entrance of the OCI registry: /v2/."""
