"""What a server shows of itself: its log, and what it measures."""
