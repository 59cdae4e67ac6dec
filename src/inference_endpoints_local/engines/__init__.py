"""What runs replicas: worker processes of this machine, a Ray cluster, or a simulation."""
