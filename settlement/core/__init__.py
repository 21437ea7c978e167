"""The rules of the protocol: pure, deterministic, standard library only. Imports no other package."""
