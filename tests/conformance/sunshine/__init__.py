"""The vendor's own three clients, unmodified, against a server."""
