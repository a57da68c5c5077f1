"""The entrance of the AWS JSON API."""
