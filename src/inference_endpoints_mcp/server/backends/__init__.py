"""The two control planes a server can stand on, and the token of the hosted one."""
