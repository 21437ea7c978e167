"""What the API is told when it starts. It reads no environment and no file of settings by itself."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from ipaddress import ip_network
from pathlib import Path
from typing import Final

_ORIGIN: Final = re.compile(r"https?://(?:[a-z0-9.-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?")


FRESH_SECONDS: Final = 0.01
"""For a server with many clients."""


class SettingsError(ValueError):
    """A setting that cannot be used, with its name, the reason and the cure."""


class ServeError(RuntimeError):
    """The server cannot start, with the reason and the cure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiSettings:
    """`frontend` is the folder of the static site (None: no site). `cors_origins` are the other sites whose
    pages may read the API. `network` is shown to traders, as "hive" or "devnet". Beyond `max_lag_blocks`
    behind the chain the API answers with a warning, and is not ready.

    `rate_limit` is what one address may ask, as "1200/minute" (None: anything), counted in `limit_store`.
    What `trusted_proxies` (addresses or networks) say of a client's address is believed. `hive_nodes` are
    asked whether an account exists. One process answers `threads` requests at once, beside as many open
    `streams` as that says. `clock` is only for ages; tests replace it. An answer may be
    `fresh_seconds` old: no process looks more often whether anything was committed. 0: it looks each time."""

    database_url: str
    network: str = "hive"
    cors_origins: tuple[str, ...] = ()
    frontend: Path | None = None
    max_lag_blocks: int = 20
    rate_limit: str | None = None
    limit_store: str = "memory://"
    trusted_proxies: tuple[str, ...] = ()
    hive_nodes: tuple[str, ...] = ()
    access_log: bool = False
    threads: int = 16
    streams: int = 128
    clock: Callable[[], float] = time.time
    fresh_seconds: float = 0.0

    def __post_init__(self) -> None:
        for origin in self.cors_origins:
            if _ORIGIN.fullmatch(origin) is None:
                raise SettingsError(
                    f"cors_origins: {origin!r} is not an origin: write it like https://example.com, "
                    "in small letters, without a path and without *"
                )
        if self.frontend is not None and not (self.frontend / "index.html").is_file():
            raise SettingsError(f"frontend: {self.frontend} holds no index.html: name the site's folder")
        for proxy in self.trusted_proxies:
            try:
                ip_network(proxy)
            except ValueError as error:
                raise SettingsError(
                    f"trusted_proxies: {error}: write an address or a network, like 10.0.0.0/8"
                ) from error
        if self.rate_limit is not None:
            from limits import parse_many  # noqa: PLC0415  slow to load, and for the server alone

            try:
                parse_many(self.rate_limit)
            except ValueError as error:
                raise SettingsError(
                    f"rate_limit: {self.rate_limit!r} is not a limit: write it like 20/second or "
                    "1200/minute; several with ; between them"
                ) from error


def default_frontend() -> Path | None:
    """The site that comes with the program: beside this package in a wheel, at the root of a checkout."""
    here = Path(__file__).parent
    folders = (here / "site", here.parent / "frontend")
    return next((folder for folder in folders if (folder / "index.html").is_file()), None)


def program_version() -> str:
    """The version that is installed."""
    try:
        return version("peakedex")
    except PackageNotFoundError:
        return "0+unknown"
