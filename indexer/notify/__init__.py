"""Notifications: rules over the public API and its stream, sent to people. No keys, no database."""
