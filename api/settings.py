"""Settings of the API. It reads no environment variables and no configuration file itself."""

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


class SettingsError(ValueError):
    """An invalid setting. The message names the setting, the reason and the cure."""


class ServeError(RuntimeError):
    """The server cannot start. The message gives the reason and the cure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiSettings:
    """Validated on creation: raises SettingsError."""

    database_url: str
    network: str = "hive"  # shown to traders: "hive" or "devnet"
    cors_origins: tuple[str, ...] = ()  # other sites whose pages may read the API
    frontend: Path | None = None  # folder of the static site; None: no site
    max_lag_blocks: int = 20  # further behind the chain, answers carry a warning and /api/ready gives 503
    rate_limit: str | None = None  # per client address, like "1200/minute"; None: unlimited
    limit_store: str = "memory://"  # where requests are counted
    trusted_proxies: tuple[str, ...] = ()  # addresses or networks whose X-Forwarded-For counts
    hive_nodes: tuple[str, ...] = ()  # for /api/validate_account
    access_log: bool = False
    backup_status: Path | None = None  # the file that `peakedex backup` writes; None: no metrics of backups
    disk_folders: tuple[Path, ...] = ()  # whose disks /metrics shows; empty: that of an SQLite file
    threads: int = 16  # per process, for plain requests
    streams: int = 128  # per process, each with a thread of its own
    clock: Callable[[], float] = time.time  # for ages; tests replace it
    monotonic: Callable[[], float] = time.monotonic  # for the indexer's heartbeat; tests replace it

    def __post_init__(self) -> None:
        for origin in self.cors_origins:
            if _ORIGIN.fullmatch(origin) is None:
                raise SettingsError(
                    f"cors_origins: {origin!r} is not an origin: write it like https://example.com, "
                    "in lower case, without a path and without *"
                )
        if self.frontend is not None and not (self.frontend / "index.html").is_file():
            raise SettingsError(f"frontend: {self.frontend} holds no index.html: give the site's folder")
        for proxy in self.trusted_proxies:
            try:
                ip_network(proxy)
            except ValueError as error:
                raise SettingsError(
                    f"trusted_proxies: {error}: write an address or a network, like 10.0.0.0/8"
                ) from error
        if self.rate_limit is not None:
            from limits import parse_many  # noqa: PLC0415  slow to import, and needed by the server alone

            try:
                parse_many(self.rate_limit)
            except ValueError as error:
                raise SettingsError(
                    f"rate_limit: {self.rate_limit!r} is not a limit: write it like 20/second or "
                    "1200/minute; separate several with ;"
                ) from error


def default_frontend() -> Path | None:
    """The bundled site: inside this package in a wheel, at the root in a checkout."""
    here = Path(__file__).parent
    folders = (here / "site", here.parent / "frontend")
    return next((folder for folder in folders if (folder / "index.html").is_file()), None)


def program_version() -> str:
    """The installed version."""
    try:
        return version("peakedex")
    except PackageNotFoundError:
        return "0+unknown"
