"""The rules of the protocol: pure, deterministic, standard library only. Imports nothing else of ours."""
