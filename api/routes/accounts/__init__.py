"""Account endpoints: balances, orders, intents, deposits, withdrawals, transfers."""
