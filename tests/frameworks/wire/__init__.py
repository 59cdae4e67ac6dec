"""What a client really sends to the server: recorded on its way, and read afterwards."""
