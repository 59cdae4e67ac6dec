"""Speech and images on this machine, with real models: `make test-media` installs their engines."""
