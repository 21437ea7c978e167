"""Local settings: `peakedex.toml`, overridden by environment variables `PEAKEDEX_*`, overridden by options.

The only module that reads the environment. None of the settings affects consensus; the venue file does.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from settlement.net.node_urls import split_http_url

Command = TypeVar("Command", bound=Callable[..., Any])

DEFAULT_NODES: Final = (
    "https://api.hive.blog",
    "https://api.deathwing.me",
    "https://api.openhive.network",
    "https://techcoderx.com",
    "https://rpc.mahdiyari.info",
    "https://hive-api.arcange.eu",
    "https://rpc.ecency.com",
)
DEFAULT_ENGINE_NODES: Final = (
    "https://api.hive-engine.com/rpc",
    "https://engine.rishipanthee.com",
    "https://enginerpc.com",
)

BLOCK_NUMBER: Final = click.IntRange(1, 2**32 - 1)
"""Number of a Hive block: 32 bits there."""


class _ServerUrl(click.ParamType[str]):
    """URL of a server. A typing error would otherwise be a server that never answers."""

    name = "url"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        text = str(value)
        parts = split_http_url(text)
        if parts is not None and "@" in parts.netloc:
            self.fail("the API and the logs publish URLs of servers: remove user and password", param, ctx)
        if parts is None or not text.isprintable() or " " in text:
            shown = text if len(text) <= 100 else f"{text[:100]}…"
            self.fail(f"{shown!r} is not a URL: write it like https://api.example.org", param, ctx)
        return text


SERVER_URL: Final = _ServerUrl()

_SETTINGS: Final[dict[str, dict[str, Any]]] = {
    "db": {
        "metavar": "URL",
        "help": "Database URL, or the path of an SQLite file.",
    },
    "venue": {
        "metavar": "FILE",
        "type": click.Path(exists=True, dir_okay=False, path_type=Path),
        "help": "The venue file.",
    },
    "node": {
        "metavar": "URL",
        "type": SERVER_URL,
        "multiple": True,
        "default": DEFAULT_NODES,
        "help": "A Hive node; repeat for more, which are compared (in the environment: separated by spaces).",
    },
    "quorum": {
        "type": click.IntRange(1),
        "metavar": "N",
        "help": "Hive nodes that must agree on the last irreversible block. Default: 2, or 1 for one node.",
    },
    "engine-node": {
        "metavar": "URL",
        "type": SERVER_URL,
        "multiple": True,
        "default": DEFAULT_ENGINE_NODES,
        "help": "A Hive-Engine node; repeat for more, two of which must agree.",
    },
    "trust-single-node": {
        "is_flag": True,
        "help": "Allow a single Hive-Engine node, whose receipts nothing else then confirms.",
    },
    "chain-id": {
        "metavar": "HEX",
        "help": "Chain id: 64 hex digits, or `devnet` to read it from a devnet's /dev/status. Nodes of "
        "another chain are refused. Default: the main network's.",
    },
    "host": {"default": "127.0.0.1", "show_default": True, "help": "Address to listen on."},
    "port": {
        "type": click.IntRange(0, 65535),
        "default": 8080,
        "show_default": True,
        "help": "Port to listen on.",
    },
    "cors-origin": {
        "metavar": "ORIGIN",
        "multiple": True,
        "help": "Origin of a site that may read the API from browsers; repeat for more. None by default.",
    },
    "network": {
        "default": "mainnet",
        "show_default": True,
        "help": "Name of the network in /api/venue.",
    },
    "practice-node": {
        "metavar": "URL",
        "type": SERVER_URL,
        "help": "Devnet node for the site's practice wallet; only with --network devnet.",
    },
    "workers": {
        "type": click.IntRange(1, 64),
        "default": 2,
        "show_default": True,
        "help": "API processes.",
    },
    "threads": {
        "type": click.IntRange(1, 1024),
        "default": 16,
        "show_default": True,
        "help": "Threads in each API process.",
    },
    "streams": {
        "type": click.IntRange(0, 4096),
        "default": 128,
        "show_default": True,
        "help": "Live streams per API process, each in its own thread.",
    },
    "rate-limit": {
        "metavar": "LIMIT",
        "default": "1200/minute",
        "show_default": True,
        "help": "Requests per client address, such as 20/second; `off` for no limit.",
    },
    "limit-store": {
        "metavar": "URL",
        "default": "memory://",
        "show_default": True,
        "help": "Where requests are counted: memory:// (per API process) or redis://HOST:PORT (shared).",
    },
    "trusted-proxy": {
        "metavar": "ADDRESS",
        "multiple": True,
        "help": "Address or network of a reverse proxy whose X-Forwarded-For is trusted; repeat for more.",
    },
    "max-lag": {
        "type": click.IntRange(1),
        "metavar": "BLOCKS",
        "default": 20,
        "show_default": True,
        "help": "Lag behind the chain above which the API raises an alarm and /api/ready fails.",
    },
    "access-log": {
        "type": click.Choice(["on", "off"]),
        "default": "off",
        "show_default": True,
        "help": "Log each request with the client's address.",
    },
    "payout-expires-in": {
        "type": click.IntRange(60, 3000),
        "metavar": "SECONDS",
        "default": 600,
        "show_default": True,
        "help": "Lifetime of a signed payment.",
    },
    "payout-limit": {
        "metavar": "SYMBOL=AMOUNT",
        "multiple": True,
        "help": "Larger payments wait for `peakedex payouts approve`; repeat for more tokens.",
    },
    "payout-hour-limit": {
        "metavar": "SYMBOL=AMOUNT",
        "multiple": True,
        "help": "The same limit for all payments within an hour; repeat for more tokens.",
    },
    "cosign-relay": {
        "metavar": "URL",
        "type": SERVER_URL,
        "multiple": True,
        "help": "A relay through which operators exchange signatures (k of n); repeat for more.",
    },
    "cosign-listen": {
        "metavar": "HOST:PORT",
        "default": "127.0.0.1:8095",
        "show_default": True,
        "help": "Address that `peakedex payouts relay` listens on.",
    },
    "checkpoint-every": {
        "type": click.IntRange(0),
        "metavar": "BLOCKS",
        "default": 1200,
        "show_default": True,
        "help": "Blocks between checkpoints, and between comparisons of states with peers; 0: none.",
    },
    "checkpoint-key-env": {
        "metavar": "NAME",
        "default": "PEK_CHECKPOINT_KEY",
        "show_default": True,
        "help": "Environment variable with the checkpoint account's active key; "
        "without it no checkpoints are posted.",
    },
    "peer": {
        "metavar": "URL",
        "type": SERVER_URL,
        "multiple": True,
        "help": "URL of another replica, whose hashes are compared with ours; repeat for more.",
    },
    "backup-daily": {
        "type": click.IntRange(1),
        "metavar": "N",
        "default": 7,
        "show_default": True,
        "help": "Keep the newest backup of each of the last N days on which any was made (UTC).",
    },
    "backup-rolling": {
        "type": click.IntRange(1),
        "metavar": "N",
        "default": 30,
        "show_default": True,
        "help": "Keep the newest N backups as well.",
    },
    "backup-status": {
        "metavar": "FILE",
        "type": click.Path(dir_okay=False, path_type=Path),
        "help": "File with the results of backups: `peakedex backup` writes it, /metrics shows it.",
    },
    "disk-folder": {
        "metavar": "FOLDER",
        "multiple": True,
        "help": "A folder whose disk /metrics shows; repeat for more. Default: the SQLite file's.",
    },
    "log-level": {
        "type": click.Choice(["debug", "info", "warning", "error"]),
        "default": "info",
        "show_default": True,
        "help": "Minimum level of log messages, written to standard error.",
    },
    "log-format": {
        "type": click.Choice(["text", "json"]),
        "default": "text",
        "show_default": True,
        "help": "Text lines, or one JSON object per line.",
    },
}


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return f"PEAKEDEX_{name.upper().replace('-', '_')}"


BACKUP_VARIABLES: Final = ("user", "password", "key-file", "known-hosts", "ca-file")
"""Credentials of the backup storage: from the environment only, hidden from `ps` and logs."""


def backup_credentials() -> dict[str, str | None]:
    """The credentials in PEAKEDEX_BACKUP_USER etc., by name; None where a variable is not set."""
    return {
        name.replace("-", "_"): os.environ.get(variable(f"backup-{name}")) or None
        for name in BACKUP_VARIABLES
    }


def setting(name: str, **changes: Any) -> Callable[[Command], Command]:
    """The command-line option of a setting; `changes` override its defaults for one command."""
    attributes = {**_SETTINGS[name], "envvar": variable(name), "show_envvar": True, **changes}
    return click.option(f"--{name}", **attributes)


def settings(*names: str) -> Callable[[Command], Command]:
    """Decorator that adds the options of several settings to a command."""

    def decorate(command: Command) -> Command:
        for name in reversed(names):
            command = setting(name)(command)
        return command

    return decorate


def setting_names() -> tuple[str, ...]:
    """Names of all settings, as in options and `peakedex.toml`."""
    return tuple(_SETTINGS)


def read_file() -> dict[str, Any]:
    """The settings in `peakedex.toml`, or the file in PEAKEDEX_CONFIG, as parameters of commands.

    Raises click.UsageError for an invalid file.
    """
    named = os.environ.get("PEAKEDEX_CONFIG")
    path = Path(named or "peakedex.toml")
    try:
        text = path.read_text("utf-8")
        if text.startswith("\ufeff"):
            raise click.UsageError(f"{path} begins with a byte order mark: save it as UTF-8 without one")
        values = tomllib.loads(text)
    except FileNotFoundError:
        if named:
            raise click.UsageError(f"PEAKEDEX_CONFIG: {path} does not exist") from None
        return {}
    except OSError as error:
        raise click.UsageError(f"{path} cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise click.UsageError(f"{path}: {error}") from None
    for key, value in values.items():
        if key not in _SETTINGS:
            raise click.UsageError(f"{path}: {key} is not a setting; the settings are {', '.join(_SETTINGS)}")
        if _SETTINGS[key].get("multiple"):
            if not (isinstance(value, list) and all(isinstance(item, str) for item in value)):
                raise click.UsageError(f'{path}: {key} must be a list, as in {key} = ["first", "second"]')
        elif _SETTINGS[key].get("is_flag"):
            if not isinstance(value, bool):
                raise click.UsageError(f"{path}: {key} must be true or false")
        elif isinstance(value, bool) or not isinstance(value, str | int):
            raise click.UsageError(f"{path}: {key} must be a single string or number")
        kind = _SETTINGS[key].get("type")
        if isinstance(kind, click.Choice | click.IntRange | _ServerUrl):
            try:
                for item in value if isinstance(value, list) else [value]:
                    kind.convert(item, None, None)
            except click.BadParameter as error:
                raise click.UsageError(f"{path}: {key}: {error.message}") from None
    return {key.replace("-", "_"): value for key, value in values.items()}
