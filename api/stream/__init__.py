"""The live stream (Server-Sent Events): one database reader per process, any number of subscribers."""
