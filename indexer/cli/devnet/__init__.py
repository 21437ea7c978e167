"""`peakedex devnet` and its subcommands, which control a running devnet."""
