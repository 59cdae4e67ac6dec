"""Tools that call the model of an endpoint, and wake the endpoint first where it is scaled to zero."""
