"""Parsers of untrusted text: amounts, names, payloads and intents."""
