"""Firefox, driven by Marionette."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from marionette_driver.marionette import Marionette

from tests.browser.engines.engine import Engine
from tests.support.ports import free_port
from tests.support.waiting import TIMEOUT_SECONDS

# Nothing but the pages under test is asked for.
PREFERENCES = {
    "app.normandy.enabled": False,
    "browser.safebrowsing.downloads.enabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "extensions.getAddons.cache.enabled": False,
    "intl.accept_languages": "de-DE, de",
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "services.settings.server": "data:,#remote-settings-dummy/v1",
    "toolkit.telemetry.enabled": False,
}
# A stream that is closed because its page is left, before or after it is connected, is no error.
_ERRORS = r"""
  return Services.console.getMessageArray()
    .filter((one) => one instanceof Ci.nsIScriptError && one.sourceName.startsWith("http"))
    .filter((one) => !(one.flags & Ci.nsIScriptError.warningFlag))
    .filter((one) => !/^The connection to .* was interrupted while the page was loading/.test(one.errorMessage))
    .filter((one) => !/^Firefox can.t establish a connection to the server at .*\/api\/stream/.test(one.errorMessage))
    .map((one) => `${one.errorMessage} (${one.sourceName}:${one.lineNumber})`);
"""


class Firefox(Engine):
    """An engine; see `Engine`."""

    def __init__(self, program: str, home: Path) -> None:
        self.driver = Marionette(
            bin=program,
            headless=True,
            port=free_port(),
            prefs=PREFERENCES,
            gecko_log=str(home / "firefox.log"),
            startup_timeout=int(TIMEOUT_SECONDS),
        )
        self.driver.start_session()
        self.driver.timeout.script = TIMEOUT_SECONDS

    def open(self, url: str) -> None:
        self.driver.navigate(url)

    def run(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, script_args=arguments)

    def screenshot(self, path: Path) -> None:
        path.write_bytes(base64.b64decode(self.driver.screenshot(full=False)))

    def errors(self) -> list[str]:
        with self.driver.using_context("chrome"):
            found: list[str] = self.driver.execute_script(_ERRORS, sandbox="system")
        return found

    def close(self) -> None:
        self.driver.cleanup()
        if self.driver.profile is not None:
            self.driver.profile.cleanup()
