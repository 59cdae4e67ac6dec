"""The programs that load a model and serve it. Of this package they import only each other and `loopback`."""
