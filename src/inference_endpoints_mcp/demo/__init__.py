"""`demo`: the script of tool calls, and the host on the console that makes them."""
