"""`peakedex devnet faults`, `chain`, `fork` …: commands that control a running devnet through `/dev`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

import click
import requests

from indexer.cli.support.common import json_option, show
from indexer.cli.support.errors import CheckFailed
from indexer.devnet.faults import Faults

DEFAULT_URL: Final = "http://127.0.0.1:8091"
_TIMEOUT_SECONDS: Final = 10.0

_url = click.option(
    "--url",
    envvar="PEAKEDEX_DEVNET",
    show_envvar=True,
    default=DEFAULT_URL,
    show_default=True,
    help="URL of the devnet's Hive node.",
)
_changes = click.argument("changes", nargs=-1, metavar="[NAME=VALUE]…")


def call_devnet(url: str, name: str, body: Mapping[str, object]) -> dict[str, Any]:
    """The answer of POST /dev/<name>. Raises CheckFailed with the devnet's error message."""
    try:
        response = requests.post(
            f"{url.rstrip('/')}/dev/{name}", data=json.dumps(body), timeout=_TIMEOUT_SECONDS
        )
        answer = response.json()
    except requests.JSONDecodeError as error:
        raise CheckFailed(f"--url {url} is not a devnet: its answer is not JSON") from error
    except requests.RequestException as error:
        raise CheckFailed(f"--url {url} does not respond: is `peakedex devnet` running there?") from error
    if not response.ok or not isinstance(answer, dict):
        reason = answer.get("error") if isinstance(answer, dict) else None
        raise CheckFailed(f"rejected by the devnet: {reason or response.status_code}")
    return answer


def read_changes(changes: tuple[str, ...]) -> dict[str, object]:
    """Parse NAME=VALUE arguments; a value is JSON if possible, else text. Raises UsageError."""
    read: dict[str, object] = {}
    for change in changes:
        name, sign, text = change.partition("=")
        if not sign or not name:
            raise click.UsageError(f"{change!r} must be NAME=VALUE, such as lag=5")
        try:
            read[name] = json.loads(text)
        except ValueError:
            read[name] = text
    return read


@click.command()
@_changes
@click.option("--off", is_flag=True, help="Switch all faults off first.")
@_url
@json_option
def faults(changes: tuple[str, ...], off: bool, url: str, as_json: bool) -> None:
    """Inject faults of public nodes, and show all faults.

    Example: peakedex devnet faults too_many=3 lie=amount
    """
    body: dict[str, object] = asdict(Faults()) if off else {}
    show(call_devnet(url, "faults", body | read_changes(changes)), as_json=as_json)


@click.command()
@_changes
@_url
@json_option
def chain(changes: tuple[str, ...], url: str, as_json: bool) -> None:
    """Change the chain: lag, stalled and skip_slots, and behind and buffer for the sidechain.

    Example: peakedex devnet chain lag=20 stalled=true
    """
    show(call_devnet(url, "chain", read_changes(changes)), as_json=as_json)


@click.command()
@click.argument("depth", type=click.IntRange(0))
@click.option("--forget", is_flag=True, help="Discard the transactions of the dropped blocks.")
@click.option("--sidechain", is_flag=True, help="Nodes with engine_forked executed the dropped blocks.")
@_url
@json_option
def fork(depth: int, forget: bool, sidechain: bool, url: str, as_json: bool) -> None:
    """Fork the chain: drop the newest DEPTH blocks and continue on another branch.

    Example: peakedex devnet fork 3
    """
    changes = {"depth": depth, "forget": forget, "sidechain": sidechain}
    show(call_devnet(url, "fork", changes), as_json=as_json)


@click.command()
@click.argument("count", type=click.IntRange(1, 1000), default=1)
@_url
@json_option
def produce(count: int, url: str, as_json: bool) -> None:
    """Produce COUNT blocks immediately.

    Example: peakedex devnet produce 10
    """
    show(call_devnet(url, "produce", {"count": count}), as_json=as_json)


@click.command()
@_url
@json_option
def status(url: str, as_json: bool) -> None:
    """Show the position and settings of the chain and the sidechain.

    Example: peakedex devnet status
    """
    show(call_devnet(url, "status", {}), as_json=as_json)


@click.command()
@click.argument("account")
@click.argument("symbol", required=False)
@click.argument("quantity", required=False)
@_url
@json_option
def faucet(account: str, symbol: str | None, quantity: str | None, url: str, as_json: bool) -> None:
    """Create ACCOUNT if needed, give it QUANTITY of SYMBOL, and show its balances.

    Example: peakedex devnet faucet alice HIVE 100
    """
    body = {"account": account, "symbol": symbol, "quantity": quantity}
    show(
        call_devnet(url, "faucet", {name: value for name, value in body.items() if value is not None}),
        as_json=as_json,
    )


@click.command()
@click.argument("account")
@_url
@json_option
def keys(account: str, url: str, as_json: bool) -> None:
    """Show the private keys of a devnet account. Anyone can derive them.

    Example: peakedex devnet keys alice
    """
    found = call_devnet(url, "keys", {"account": account})
    if as_json:
        click.echo(json.dumps(found))
        return
    for role, pair in found.items():
        click.echo(f"{role:<8} {pair['wif']}  {pair['public_key']}")


CALLS: Final[tuple[click.Command, ...]] = (faults, chain, fork, produce, status, faucet, keys)
