"""What the API is told when it starts. It reads no environment and no file of settings by itself."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

_ORIGIN: Final = re.compile(r"https?://(?:[a-z0-9.-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?")


class SettingsError(ValueError):
    """A setting that cannot be used, with its name, the reason and the cure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiSettings:
    """`frontend` is the folder of the static site (None: no site). `cors_origins` are the other sites whose
    pages may read the API. `network` is shown to traders, as "hive" or "devnet". Beyond `max_lag_blocks`
    behind the chain the API answers, but is not ready. `clock` is only for ages; tests replace it."""

    database_url: str
    network: str = "hive"
    cors_origins: tuple[str, ...] = ()
    frontend: Path | None = None
    max_lag_blocks: int = 20
    clock: Callable[[], float] = time.time

    def __post_init__(self) -> None:
        for origin in self.cors_origins:
            if _ORIGIN.fullmatch(origin) is None:
                raise SettingsError(
                    f"cors_origins: {origin!r} is not an origin: write it like https://example.com, "
                    "in small letters, without a path and without *"
                )
        if self.frontend is not None and not (self.frontend / "index.html").is_file():
            raise SettingsError(f"frontend: {self.frontend} holds no index.html: name the site's folder")


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
