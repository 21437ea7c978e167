"""Common interface of the drivers of Firefox and WebKitGTK, and where their programs are."""

from __future__ import annotations

import glob
import shutil
from pathlib import Path
from typing import Any, Protocol

from tests.support.waiting import wait_until

SCRIPT_SECONDS = 60
MINI_BROWSER = "/usr/lib/*/webkit2gtk-4.*/MiniBrowser"
PACKAGES = {"firefox": ("firefox-esr",), "webkit": ("webkit2gtk-driver", "xvfb", "xauth")}
CURES = {
    name: f"the tests of the site in {name} need it (Debian and Ubuntu: apt install {' '.join(packages)})"
    for name, packages in PACKAGES.items()
}


def program(name: str) -> str | None:
    """Path of the browser; None where it, or what it needs, is not installed."""
    if name == "firefox":
        return next((path for path in map(shutil.which, ("firefox-esr", "firefox")) if path), None)
    found = sorted(glob.glob(MINI_BROWSER))
    return found[-1] if found and shutil.which("WebKitWebDriver") and shutil.which("Xvfb") else None


class Engine(Protocol):
    """A browser with one page."""

    def open(self, url: str) -> None:
        """Load a page."""
        ...

    def run(self, script: str, *arguments: Any) -> Any:
        """Run the body of a function in the page, and return its value."""
        ...

    def click(self, selector: str) -> None:
        """Click an element as a user does."""
        ...

    def type(self, selector: str, text: str) -> None:
        """Replace a field's text by typing."""
        ...

    def resize(self, width: int, height: int) -> None:
        """Set the size of the window."""
        ...

    def screenshot(self, path: Path) -> None:
        """Write what the window shows as PNG."""
        ...

    def errors(self) -> list[str]:
        """Errors of the pages so far; always none where the engine does not report them."""
        ...

    def close(self) -> None:
        """End the browser."""
        ...


def until(page: Engine, expression: str, *arguments: Any) -> Any:
    """Wait until an expression in the page is true, and return its value."""
    return wait_until(
        lambda: page.run(f"return ({expression});", *arguments),
        timeout=SCRIPT_SECONDS,
        what=expression,
        poll=0.1,
    )
