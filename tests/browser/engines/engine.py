"""Common interface of the drivers of Firefox and WebKitGTK, and where their programs are."""

from __future__ import annotations

import glob
import shutil
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

from tests.support.waiting import wait_until

# As WebDriver names and encodes them.
CSS, CONTROL = "css selector", "\ue009"
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


class Engine(ABC):
    """A browser with one page, over a driver whose elements and windows have WebDriver's methods."""

    driver: Any

    @abstractmethod
    def open(self, url: str) -> None:
        """Load a page."""

    @abstractmethod
    def run(self, script: str, *arguments: Any) -> Any:
        """Run the body of a function in the page, and return its value."""

    @abstractmethod
    def screenshot(self, path: Path) -> None:
        """Write what the window shows as PNG."""

    @abstractmethod
    def errors(self) -> list[str]:
        """Errors of the pages so far; always none where the engine does not report them."""

    @abstractmethod
    def close(self) -> None:
        """End the browser."""

    def click(self, selector: str) -> None:
        """Click an element as a user does."""
        self.driver.find_element(CSS, selector).click()

    def type(self, selector: str, text: str) -> None:
        """Replace a field's text by typing."""
        element = self.driver.find_element(CSS, selector)
        element.send_keys(CONTROL, "a")
        element.send_keys(text)

    def resize(self, width: int, height: int) -> None:
        """Set the size of the window."""
        self.driver.set_window_rect(width=width, height=height)


def until(page: Engine, expression: str, *arguments: Any) -> Any:
    """Wait until an expression in the page is true, and return its value."""
    return wait_until(
        lambda: page.run(f"return ({expression});", *arguments),
        what=expression,
        poll=0.1,
    )
