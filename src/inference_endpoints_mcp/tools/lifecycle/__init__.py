"""Tools that create, show, change, pause, resume and delete endpoints, and wait for them."""
