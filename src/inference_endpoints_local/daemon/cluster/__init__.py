"""The Ray cluster that a plane was told to use, or started itself."""
