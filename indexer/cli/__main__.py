"""`python -m indexer.cli`: the same as `peakedex`, for processes that start each other."""

from indexer.cli import main

main(prog_name="peakedex")
