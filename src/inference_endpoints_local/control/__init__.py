"""The control loop: lifecycle requests set the wanted state, reconciliation brings the replicas there."""
