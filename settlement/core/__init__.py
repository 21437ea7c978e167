"""The rules of the protocol: pure and deterministic, standard library only. Imports nothing of ours."""
