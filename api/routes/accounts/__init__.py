"""Resources about accounts."""
