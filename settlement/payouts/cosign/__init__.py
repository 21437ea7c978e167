"""k-of-n payments: signatures of several operators, exchanged and verified."""
