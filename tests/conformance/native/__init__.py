"""Questions about audiences through the native API, against models of sets that know nothing of the server."""
