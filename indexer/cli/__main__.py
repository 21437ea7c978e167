"""`python -m indexer.cli`, the same as `peakedex`."""

from indexer.cli import main

main(prog_name="peakedex")
