"""Installs, out of Debian's packages, what container images are built with and what a server is booted with (`make test`).

Where that is impossible their tests are skipped, with the cure: this is no error.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

from tests.system.containers import images
from tests.system.systemd import machine


def main() -> None:
    """Install what is missing, and say if that was not possible."""
    for module in (images, machine):
        if module.why_not() == module.CURE and os.getuid() == 0 and shutil.which("apt-get"):
            print("installing", *module.PACKAGES)
            for command in (["apt-get", "update"], ["apt-get", "install", "--yes", *module.PACKAGES]):
                options = ["--no-install-recommends"] if "install" in command else []
                subprocess.run([*command, *options], stdout=subprocess.DEVNULL, check=False)
        if reason := module.why_not():
            print(f"skipped: {reason}", file=sys.stderr)


if __name__ == "__main__":
    main()
