"""The HTTP side of the server: who may call it, and limits that a caller sets by headers."""
