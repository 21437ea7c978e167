"""The rules of Peake DEX: pure, deterministic, standard library only (no I/O, no clock, no floats)."""
