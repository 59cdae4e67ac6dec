"""Waiting for and watching endpoints: one poller for each endpoint, however many callers wait."""
