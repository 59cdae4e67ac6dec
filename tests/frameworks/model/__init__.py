"""A model that follows a script, served in the protocols of its providers."""
