"""Account statements: entries in order, running balances, realised profit, and their file formats."""
