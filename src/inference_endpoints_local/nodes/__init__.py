"""What runs on the nodes of a cluster: a replica that starts our worker as its child."""
