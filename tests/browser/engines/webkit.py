"""WebKitGTK's MiniBrowser, driven by WebDriver in a virtual display."""

from __future__ import annotations

import os
import select
import shutil
import subprocess
from pathlib import Path
from typing import Any

from selenium.webdriver import WebKitGTK
from selenium.webdriver.webkitgtk.options import Options
from selenium.webdriver.webkitgtk.service import Service

from tests.browser.engines.engine import Engine
from tests.support.waiting import TIMEOUT_SECONDS


class WebKit(Engine):
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
            self.driver = WebKitGTK(options=options, service=service)
        except BaseException:
            self._display.terminate()
            raise
        self.driver.set_script_timeout(TIMEOUT_SECONDS)

    def open(self, url: str) -> None:
        self.driver.get(url)

    def run(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def screenshot(self, path: Path) -> None:
        path.write_bytes(self.driver.get_screenshot_as_png())

    def errors(self) -> list[str]:
        return []

    def close(self) -> None:
        try:
            self.driver.quit()
        finally:
            self._display.terminate()
            self._display.wait(TIMEOUT_SECONDS)


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
        ready, _, _ = select.select([answer], [], [], TIMEOUT_SECONDS)
        number = answer.readline().decode().strip() if ready else ""
    if not number:
        display.terminate()
        raise RuntimeError("Xvfb did not start")
    return display, f":{number}"
