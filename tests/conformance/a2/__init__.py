"""The suite of the A2 dialect: the same requests to a real FastAPI-Users application and to Throng, and A2's own operations."""
