"""What to change against a cause."""
