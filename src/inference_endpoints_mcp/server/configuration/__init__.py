"""The files that a server reads again when they change, and what holds then."""
