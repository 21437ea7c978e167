"""Prometheus' tool for rules, out of Debian's package: put beside the interpreter (`make test`), not installed.

The package itself would start a server. Without the tool one test is skipped, with the cure: this is no error.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

CURE: Final = "promtool is missing: `make promtool` (Debian), or install Prometheus"
OURS: Final = Path(sys.executable).with_name("promtool")


def program() -> str | None:
    """The tool's path; None if there is none."""
    return str(OURS) if OURS.exists() else shutil.which("promtool")


def main() -> None:
    """Fetch it if it is missing, and say if that was not possible."""
    if program() is None and shutil.which("apt-get") and shutil.which("dpkg-deb"):
        with tempfile.TemporaryDirectory() as folder:
            for words in (
                ["apt-get", "--quiet", "update"],  # needs root; otherwise the lists are what they are
                ["apt-get", "--quiet", "download", "prometheus"],
            ):
                subprocess.run(words, cwd=folder, capture_output=True, check=False)
            for package in Path(folder).glob("prometheus_*.deb"):
                subprocess.run(["dpkg-deb", "-x", package, folder], check=False)
            found = Path(folder) / "usr/bin/promtool"
            if found.exists():
                shutil.copy(found, OURS)
    if program() is None:
        print(f"skipped: {CURE}", file=sys.stderr)


if __name__ == "__main__":
    main()
