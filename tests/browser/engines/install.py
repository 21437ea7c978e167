"""Installs Firefox and WebKitGTK out of Debian's packages where that is possible (part of `make test`).

Without them their tests are skipped, with the cure: this is no error.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

from tests.browser.engines.engine import CURES, PACKAGES, program


def main() -> None:
    """Install what is missing, and say what could not be installed."""
    missing = [name for name in PACKAGES if program(name) is None]
    if missing and os.geteuid() == 0 and shutil.which("apt-get"):
        packages = [package for name in missing for package in PACKAGES[name]]
        print("installing", *packages)
        for command in (["apt-get", "update"], ["apt-get", "install", "--yes", *packages]):
            options = ["--no-install-recommends"] if "install" in command else []
            subprocess.run([*command, *options], stdout=subprocess.DEVNULL, check=False)
    for name in missing:
        if program(name) is None:
            print(f"skipped: {CURES[name]}", file=sys.stderr)


if __name__ == "__main__":
    main()
