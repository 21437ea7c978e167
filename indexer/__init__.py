"""From blocks to the database: chain, sources, follow, audit, ops, devnet, and the command line (cli)."""
