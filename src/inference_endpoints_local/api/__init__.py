"""The REST API over HTTP: handlers, middleware, documents, and the gateway to the endpoints themselves."""
