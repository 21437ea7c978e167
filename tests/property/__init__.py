"""Property tests: the rules against the naive model, and hostile input."""
