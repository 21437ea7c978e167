"""Runs benchmarks: `python -m bench [NAME…]`, without names all but the long ones."""

from __future__ import annotations

import argparse
from importlib import import_module

BENCHES = ("rules", "replay", "scan", "catchup", "api", "site")
"""Modules of this package; the `main()` of each prints its figures and their goals."""
LONG = ("growth", "history", "year")
"""Those that take a quarter of an hour or more."""


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m bench", description="Runs benchmarks and prints their figures."
    )
    names = f"benchmarks to run: {', '.join(BENCHES)} (the default), or the long ones {', '.join(LONG)}"
    parser.add_argument("names", nargs="*", metavar="NAME", help=names)
    chosen = parser.parse_args().names or BENCHES
    if unknown := set(chosen) - {*BENCHES, *LONG}:
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are: {', '.join(BENCHES + LONG)}")
    for name in chosen:
        import_module(f"bench.{name}").main()


if __name__ == "__main__":
    main()
