"""What the server does by itself, whichever dialect asked for it."""
