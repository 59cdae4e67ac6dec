"""An engine that runs replicas on a Ray cluster. It speaks Ray's REST API and imports nothing of Ray."""
