"""`install` and `uninstall`: this server's entry in the configuration files of hosts, and nothing else in them."""
