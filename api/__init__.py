"""The read API: what the database knows, over HTTP. It cannot write, and it decides nothing."""
