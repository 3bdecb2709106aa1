"""Opendatasoft Automation API v1.0, driven by the Python client that OpenAPI Generator makes of openapi.yaml, unmodified.

Importing this package makes the client, if it is not there yet, and makes `opendatasoft_automation` importable.
"""

import sys

from opendatasoft import generate

sys.path.insert(0, str(generate.client()))
