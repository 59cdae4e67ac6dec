"""Who calls the server: hosts in this process and over HTTP, their callers, and what they sign in with."""
