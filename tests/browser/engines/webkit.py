"""WebKitGTK's MiniBrowser, driven by WebDriver in a virtual display."""

from __future__ import annotations

import os
import select
import shutil
import subprocess
from pathlib import Path
from typing import Any

from selenium.webdriver import WebKitGTK
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.webkitgtk.options import Options
from selenium.webdriver.webkitgtk.service import Service

from tests.browser.engines.engine import SCRIPT_SECONDS

START_SECONDS = 30


class WebKit:
    """An engine; see `Engine`. Its driver does not report errors of pages."""

    def __init__(self, program: str, home: Path) -> None:
        self._display, name = _open_display()
        try:
            options = Options()
            options.binary_location = program
            options.add_argument("--automation")
            options.overlay_scrollbars_enabled = False
            environment = {**os.environ, "DISPLAY": name, "WEBKIT_DISABLE_COMPOSITING_MODE": "1"}
            service = Service(
                shutil.which("WebKitWebDriver"), log_output=str(home / "webkit.log"), env=environment
            )
            self._driver = WebKitGTK(options=options, service=service)
        except BaseException:
            self._display.terminate()
            raise
        self._driver.set_script_timeout(SCRIPT_SECONDS)

    def open(self, url: str) -> None:
        self._driver.get(url)

    def run(self, script: str, *arguments: Any) -> Any:
        return self._driver.execute_script(script, *arguments)

    def click(self, selector: str) -> None:
        self._driver.find_element(By.CSS_SELECTOR, selector).click()

    def type(self, selector: str, text: str) -> None:
        element = self._driver.find_element(By.CSS_SELECTOR, selector)
        element.send_keys(Keys.CONTROL, "a")
        element.send_keys(text)

    def resize(self, width: int, height: int) -> None:
        self._driver.set_window_rect(width=width, height=height)

    def screenshot(self, path: Path) -> None:
        path.write_bytes(self._driver.get_screenshot_as_png())

    def errors(self) -> list[str]:
        return []

    def close(self) -> None:
        try:
            self._driver.quit()
        finally:
            self._display.terminate()
            self._display.wait(START_SECONDS)


def _open_display() -> tuple[subprocess.Popen[bytes], str]:
    """A virtual display of a free number, and its name."""
    reading, writing = os.pipe()
    size = ("-screen", "0", "1600x1200x24")
    display = subprocess.Popen(
        ["Xvfb", "-displayfd", str(writing), *size, "-nolisten", "tcp"],
        pass_fds=(writing,),
        stderr=subprocess.DEVNULL,
    )
    os.close(writing)
    with os.fdopen(reading, "rb") as answer:
        ready, _, _ = select.select([answer], [], [], START_SECONDS)
        number = answer.readline().decode().strip() if ready else ""
    if not number:
        display.terminate()
        raise RuntimeError("Xvfb did not start")
    return display, f":{number}"
