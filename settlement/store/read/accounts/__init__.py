"""Queries about accounts: balances, orders, intents, deposits, withdrawals and transfers."""
