"""What every vendor's suite shares: the server's process, a throw-away PostgreSQL, plain HTTP, waiting."""
