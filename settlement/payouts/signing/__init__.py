"""Keys and signatures: authorities of escrow accounts, transactions and their bytes, process hardening."""
