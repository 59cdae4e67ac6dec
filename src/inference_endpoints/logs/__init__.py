"""Reading, searching and following the logs of endpoints."""
