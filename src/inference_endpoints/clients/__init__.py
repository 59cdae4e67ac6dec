"""The client of a control plane, and what it remembers of what it read."""
