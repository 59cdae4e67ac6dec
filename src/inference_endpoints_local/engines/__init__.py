"""What runs replicas: worker processes of this machine, or a simulation."""
