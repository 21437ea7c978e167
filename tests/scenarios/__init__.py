"""Protocol scenarios as text, one story a rule, and the golden journals."""
