"""Which server answers a caller: that of its profile, or that of its account, where it brings its own token."""
