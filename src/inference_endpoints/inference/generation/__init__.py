"""Text generation token by token, and with what the engine says of each token."""
