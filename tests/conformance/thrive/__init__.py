"""Thrive's Public API, which has no client of the vendor's: driven by one that is written from the documentation's examples."""
