"""The configuration file of notifications: its model, and its validation."""
