"""Property tests: hypothesis machines against the naive model, and hostile input."""
