"""Targets: the services that messages are sent to, one module each, with that service's text escaping."""
