"""Protocol scenarios as text files, and the golden journals."""
