"""Runs benchmarks: `python -m bench [--compiled] [NAME…]`, without names all but the long ones."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

from hatch_build import compile_rules

BENCHES = ("rules", "replay", "live", "scan", "catchup", "api", "site")
"""Modules of this package; the `main()` of each prints its figures and their goals."""
LONG = ("evidence", "growth", "history", "year")
"""Those that take a quarter of an hour or more."""
ROOT = Path(__file__).parents[1]


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m bench", description="Runs benchmarks and prints their figures."
    )
    names = f"benchmarks to run: {', '.join(BENCHES)} (the default), or the long ones {', '.join(LONG)}"
    parser.add_argument("names", nargs="*", metavar="NAME", help=names)
    parser.add_argument("--compiled", action="store_true", help="compile rules and projector first")
    arguments = parser.parse_args()
    chosen = arguments.names or BENCHES
    if unknown := set(chosen) - {*BENCHES, *LONG}:
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are: {', '.join(BENCHES + LONG)}")
    if arguments.compiled:
        _run_compiled(chosen)
        return
    for name in chosen:
        import_module(f"bench.{name}").main()


def _run_compiled(names: Sequence[str]) -> None:
    """Run the benchmarks in a process that imports the package from a folder in which it is compiled."""
    with TemporaryDirectory(prefix="peakedex-compiled-") as folder:
        compile_rules(ROOT, Path(folder))
        (Path(folder) / "alembic").symlink_to(ROOT / "alembic")
        path = os.pathsep.join((folder, str(ROOT)))
        command = [sys.executable, "-m", "bench", *names]
        subprocess.run(command, cwd=folder, env={**os.environ, "PYTHONPATH": path}, check=True)


if __name__ == "__main__":
    main()
