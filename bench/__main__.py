"""`python -m bench [NAME…]`: every bench but the long ones, or those that are named."""

from __future__ import annotations

import sys
from importlib import import_module

BENCHES = ("engine", "replay", "scan", "catchup", "api", "site")
"""Modules of this folder; each has a `main()` that prints its figures with the goal they are held to."""
LONG = ("growth", "history", "year")
"""Those that take a quarter of an hour or more."""


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in BENCHES + LONG]
    if unknown:
        print(
            f"no bench is called {', '.join(unknown)}; there are: {', '.join(BENCHES + LONG)}",
            file=sys.stderr,
        )
        return 2
    for name in names or BENCHES:
        import_module(f"bench.{name}").main()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
