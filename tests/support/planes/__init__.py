"""Control planes of tests, what drives them, and what they run."""
