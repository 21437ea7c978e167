"""Parsers of untrusted text: amounts, names, payloads and requests. Imports core values alone."""
