"""Send requests to the engine of an endpoint: wake it, wait for it, know its model and its limits, name its errors."""
