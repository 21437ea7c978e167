"""Orders, stops, matching, marks and grants (protocol, sections 5 to 7). Imports only `settlement.core`."""
