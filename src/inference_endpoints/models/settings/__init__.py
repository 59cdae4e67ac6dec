"""The settings of an endpoint as a request has them: their types, their values, and which image has which."""
