"""Installs what the container images are built with out of Debian's packages, where that is possible (`make test`).

Without it the images' tests are skipped, with the cure: this is no error.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

from tests.system.containers.images import CURE, PACKAGES, why_not


def main() -> None:
    """Install what is missing, and say if that was not possible."""
    if why_not() == CURE and os.getuid() == 0 and shutil.which("apt-get"):
        print("installing", *PACKAGES)
        for command in (["apt-get", "update"], ["apt-get", "install", "--yes", *PACKAGES]):
            options = ["--no-install-recommends"] if "install" in command else []
            subprocess.run([*command, *options], stdout=subprocess.DEVNULL, check=False)
    if reason := why_not():
        print(f"skipped: {reason}", file=sys.stderr)


if __name__ == "__main__":
    main()
