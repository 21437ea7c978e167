"""Resources about pairs."""
