"""What readers ask of the database, one module for each thing they ask about.

Each function takes the connection of one snapshot and gives plain rows of integers and encoded text;
showing them is for the caller. Lists are paged by key, newest first, so that page 1,000 costs what
page 1 costs.
"""
