"""What can be deployed and on what: models with pinned weights, recipes, and the instances on offer."""
