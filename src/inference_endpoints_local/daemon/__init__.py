"""A plane as a process of its own: its data folder, how others find and share it, and how it ends."""
