"""What several replicas of one server share."""
