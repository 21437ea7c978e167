"""Chromium for the tests: an installed one, else Playwright's, else a new installation.

`python -m tests.browser.chromium` installs one if necessary (part of `make test`); the tests only look for it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
VARIABLE = "PEAKEDEX_BROWSER"
CURE = f"The browser tests need Chromium. Install it (Debian and Ubuntu: apt install chromium), or name one by {VARIABLE}."


def installed() -> str | None:
    """Path of Chromium: the one that the environment variable names, an installed one, or Playwright's."""
    named = os.environ.get(VARIABLE)
    if named is not None:
        return named if Path(named).is_file() else None
    found = next((path for path in map(shutil.which, NAMES) if path), None)
    return found or playwrights()


def playwrights() -> str | None:
    """Path of Playwright's Chromium, if it was downloaded."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if Path(path).is_file() else None


def main() -> int:
    """Install Chromium if it is missing; exit code 1 with instructions if that fails."""
    if installed() is not None:
        return 0
    ways: list[Callable[[], object]] = []
    if VARIABLE not in os.environ:
        ways.append(lambda: run(sys.executable, "-m", "playwright", "install", "chromium"))
        if os.geteuid() == 0 and shutil.which("apt-get"):
            ways.append(lambda: run("apt-get", "install", "--yes", "--no-install-recommends", "chromium"))
    for way in ways:
        way()
        if installed() is not None:
            return 0
    print(CURE, file=sys.stderr)
    return 1


def run(*command: str) -> None:
    print("installing Chromium:", *command)
    subprocess.run(command, check=False)


if __name__ == "__main__":
    raise SystemExit(main())
