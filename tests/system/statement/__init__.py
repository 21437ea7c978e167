"""Account statements: entries, balances, cost and profit, file formats, the command."""
