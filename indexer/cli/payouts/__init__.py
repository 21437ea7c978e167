"""`peakedex payouts` and its subcommands."""
