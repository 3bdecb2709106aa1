"""Criteo Marketing API v1, driven by its own Python client: criteo-marketing 1.0.171 from PyPI, unmodified."""
