"""`peakedex site`: writes the site's folder, with its venue pinned."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from string import Template
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import click

from indexer import settings as config
from indexer.cli.support.common import require_venue, show
from indexer.cli.support.errors import ConfigurationError
from settlement.core.venue import Venue

Command = TypeVar("Command", bound=Callable[..., Any])

_LOCAL: Final = ("localhost", "127.0.0.1", "::1")
_CONFIG: Final = Template("""\
// Configuration of the site, written by `peakedex site`.

export const config = {
  // Read APIs: the page reads the first that answers, and compares its hashes with the others'.
  apis: $apis.map((address) => new URL(address, import.meta.url).href),

  // What the venue file says: the page refuses to sign if an API says something else.
  pins: $pins,

  // Hive nodes, asked for checkpoints, whether a transaction is in a block, and wallet balances.
  hiveNodes: $hive_nodes,

  // Contracts APIs of Hive-Engine, asked for wallet balances of its tokens.
  engineNodes: $engine_nodes,

  // Block explorer; the transaction's id is appended.
  explorer: "https://hivehub.dev/tx/",
};
""")


@click.group()
def site() -> None:
    """Build the site, the folder of static files, or its config.js alone."""


def _options(command: Command) -> Command:
    """The options of the site's configuration."""
    decorators = (
        config.setting("venue", help="The venue file, which is pinned: its hash and its escrow accounts."),
        click.option(
            "--api",
            metavar="URL",
            multiple=True,
            default=("api/",),
            show_default=True,
            help="A read API, absolute or relative to the site; repeat for more: the page reads one, "
            "compares it with the others, and changes to the next if it does not answer.",
        ),
        click.option(
            "--hive-node",
            metavar="URL",
            multiple=True,
            default=config.DEFAULT_NODES[:2],
            show_default=True,
            help="A Hive node that browsers may ask; repeat for more.",
        ),
        click.option(
            "--engine-node",
            metavar="URL",
            multiple=True,
            default=("https://api.hive-engine.com/rpc/contracts",),
            show_default=True,
            help="A contracts API of Hive-Engine that browsers may ask; repeat for more.",
        ),
    )
    for decorate in reversed(decorators):
        command = decorate(command)
    return command


@site.command()
@_options
@click.option(
    "--out",
    metavar="DIR",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="The folder that is written: a new or empty one, or an earlier build, which is replaced.",
)
def build(out: Path, venue: Path | None, **addresses: tuple[str, ...]) -> None:
    """Write the site into a folder, for a host of static files.

    Its config.js pins the venue hash and the escrow account of each token: the page then signs nothing for an
    API that says something else.

    Example: peakedex site build --venue venue.toml --api https://dex.example.org/api/ --out site
    """
    from api.settings import default_frontend

    source = default_frontend()
    if source is None:
        raise ConfigurationError("this installation has no site: install peakedex again, or use a checkout")
    if not (source / "vendor").is_dir():
        raise ConfigurationError("the site's libraries are missing: run `make site` in the checkout first")
    rules = require_venue(venue)
    _write(source, _configuration(rules, **addresses), out)
    show({"folder": out, "venue_hash": rules.hash, "tokens": len(rules.tokens)}, as_json=False)


@site.command("config")
@_options
def print_config(venue: Path | None, **addresses: tuple[str, ...]) -> None:
    """Print the config.js that `site build` writes.

    Example: peakedex site config --venue venue.toml > frontend/config.js
    """
    click.echo(_configuration(require_venue(venue), **addresses), nl=False)


def _configuration(
    venue: Venue, *, api: tuple[str, ...], hive_node: tuple[str, ...], engine_node: tuple[str, ...]
) -> str:
    """The text of config.js. Raises ConfigurationError for an address that browsers would not ask."""
    return _CONFIG.substitute(
        apis=json.dumps([_address("--api", url, ends_with_slash=True) for url in api]),
        pins=json.dumps(_pins(venue), indent=2).replace("\n", "\n  "),
        hive_nodes=json.dumps([_address("--hive-node", url) for url in hive_node]),
        engine_nodes=json.dumps([_address("--engine-node", url) for url in engine_node]),
    )


def _pins(venue: Venue) -> dict[str, object]:
    """What the page compares an API's answers with."""
    return {
        "venueHash": venue.hash,
        "contract": venue.contract,
        "customJsonId": venue.custom_json_id,
        "checkpointAccounts": sorted({venue.operator, venue.checkpoint_account}),
        "escrows": {token.symbol: token.escrow for token in venue.tokens},
    }


def _address(option: str, url: str, *, ends_with_slash: bool = False) -> str:
    """An address that the site's content security policy lets browsers ask. Raises ConfigurationError."""
    try:
        parts = urlsplit(url)
        host, user = parts.hostname, parts.username
    except ValueError as error:
        raise ConfigurationError(f"{option}: {url} is not a URL: {error}") from None
    is_relative = ends_with_slash and not parts.scheme and not parts.netloc
    if not is_relative and (parts.scheme not in ("http", "https") or not host):
        raise ConfigurationError(f"{option}: {url} is not a URL: write it like https://dex.example.org/api/")
    if parts.scheme == "http" and host not in _LOCAL:
        raise ConfigurationError(
            f"{option}: {url}: browsers ask only https addresses from the site; use https"
        )
    if user is not None or parts.query or parts.fragment:
        raise ConfigurationError(f"{option}: {url} is public: leave out user name, query and fragment")
    return url if url.endswith("/") or not ends_with_slash else f"{url}/"


def _write(source: Path, config_text: str, out: Path) -> None:
    """Build beside `out`, and put it in place in one step. Raises ConfigurationError."""
    if out.is_symlink() or (out.is_dir() and any(out.iterdir()) and not _is_build(out)):
        raise ConfigurationError(f"--out: {out} holds other files: name a new folder, or an earlier build")
    out.absolute().parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".site-", dir=out.absolute().parent) as folder:
        new, old = Path(folder, "new"), Path(folder, "old")
        shutil.copytree(source, new)
        (new / "config.js").write_text(config_text, "utf-8")
        if out.is_dir():
            os.rename(out, old)
        os.rename(new, out)


def _is_build(folder: Path) -> bool:
    return (folder / "index.html").is_file() and (folder / "config.js").is_file()
