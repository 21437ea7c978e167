"""`peakedex intent`: what a trader signs, checked and printed; with `--sign`, signed and sent."""

from __future__ import annotations

import functools
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click
import requests

from indexer import intents
from indexer import settings as config
from indexer.cli.support.common import read_venue, show
from indexer.cli.support.errors import CheckFailed, ConfigurationError
from indexer.intents import Draft, IntentError, Market

if TYPE_CHECKING:
    from settlement.payouts.chain import Node, Position
    from settlement.payouts.signing import Key, Signed

DEVNET: Final = "devnet"
DEFAULT_KEY_ENV: Final = "PEAKEDEX_ACTIVE_KEY"
_API_SECONDS: Final = 10.0

Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Common:
    """The options that every intent has."""

    venue: Path | None
    api: str | None
    as_json: bool
    account: str | None
    sign: bool
    node: tuple[str, ...]
    key_env: str
    chain_id: str | None
    expires_in: int


_COMMON: Final = (
    config.setting("venue", help="The venue file to check against."),
    click.option("--api", metavar="URL", help="A running API to check against, instead of a venue file."),
    click.option("--json", "as_json", is_flag=True, help="Print the whole operation as JSON."),
    click.option("--account", metavar="NAME", help="Who signs; needed for --json and --sign."),
    click.option("--sign", is_flag=True, help="Sign it and send it."),
    config.setting("node", help="The Hive node to send it to (the first that answers)."),
    click.option(
        "--key-env",
        metavar="NAME",
        default=DEFAULT_KEY_ENV,
        show_default=True,
        help="The environment variable that holds the account's private active key.",
    ),
    click.option(
        "--chain-id",
        metavar="HEX",
        help=f"64 hex digits, or `{DEVNET}` to take it from a devnet's /dev/status. The main network's by "
        "default; never what a node claims.",
    ),
    click.option(
        "--expires-in",
        metavar="SECONDS",
        type=click.IntRange(10, 3600),
        default=60,
        show_default=True,
        help="How long the signed transaction can get into a block.",
    ),
)


def _intent(command: Callable[..., Draft]) -> Callable[..., None]:
    """A command that builds a draft out of a market and its own options, with the common options."""

    @functools.wraps(command)
    def run(**options: Any) -> None:
        common = Common(**{name: options.pop(name) for name in Common.__dataclass_fields__})
        try:
            draft = command(_market(common), **options)
            _finish(draft, common)
        except IntentError as error:
            raise CheckFailed(error) from error

    wrapped: Callable[..., None] = run
    for option in reversed(_COMMON):
        wrapped = option(wrapped)
    return wrapped


def _market(common: Common) -> Market:
    if common.api is not None:
        return _market_of_api(common.api)
    if common.venue is None:
        raise click.UsageError("what to check against? give --venue FILE (or PEAKEDEX_VENUE), or --api URL")
    return Market.of_venue(read_venue(common.venue))


def _market_of_api(url: str) -> Market:
    try:
        response = requests.get(f"{url.rstrip('/')}/api/venue", timeout=_API_SECONDS)
        response.raise_for_status()
        body = response.json()
    except requests.JSONDecodeError as error:
        raise CheckFailed(f"--api {url}: /api/venue answers no JSON") from error
    except requests.RequestException as error:
        raise CheckFailed(f"--api {url}: /api/venue does not answer ({type(error).__name__})") from error
    return Market.of_api(body)


def _finish(draft: Draft, common: Common) -> None:
    """Print the draft, or sign and send it."""
    if common.sign:
        _send(draft, common)
    elif common.as_json:
        click.echo(json.dumps(draft.operation(_account(common, "--json")), ensure_ascii=False))
    else:
        if common.account is not None:
            draft.operation(common.account)
        click.echo(draft.text())


def _account(common: Common, option: str) -> str:
    if common.account is None:
        raise click.UsageError(f"{option} needs --account NAME: who signs")
    return common.account


def _send(draft: Draft, common: Common) -> None:
    from settlement.payouts.chain import ChainError
    from settlement.payouts.signing import Signed, SigningError, Transaction

    operation = draft.operation(_account(common, "--sign"))
    try:
        key = _key(common)
        node, position, chain_id = _chain(common)
        unsigned = Transaction.after(position.block_id, position.time + common.expires_in, operation)
        signed = Signed(unsigned, (key.sign(unsigned, chain_id),))
    except (ChainError, SigningError) as error:
        raise CheckFailed(error) from None
    # Said before it is sent: whatever happens then, this is how it is found again.
    click.echo(f"transaction {signed.id}, expires {signed.expiration}Z", err=True)
    outcome = node.broadcast(signed)
    _report(signed, outcome.status, outcome.reason, node, common)


def _report(signed: Signed, status: str, reason: str, node: Node, common: Common) -> None:
    values: dict[str, object] = {
        "transaction_id": signed.id,
        "expiration": f"{signed.expiration}Z",
        "status": status,
        "node": node.url,
    }
    if reason:
        values["reason"] = reason
    if common.as_json:
        values["operation"] = signed.to_json()["operations"]
    show(values, as_json=common.as_json)
    if status == "unknown":
        raise CheckFailed(
            f"outcome unknown, look it up: {signed.id} (GET /api/intents/{signed.id}, or a block explorer). "
            f"Sign nothing anew before {signed.expiration}Z: both could count"
        )
    if status == "refused":
        hint = ""
        if "missing required active authority" in reason:
            hint = "; is the key the account's active one, and the chain id that of this node's chain?"
        raise CheckFailed(f"the node refuses it: {reason}{hint}")


def _key(common: Common) -> Key:
    from settlement.payouts.signing import Key, SigningError

    text = os.environ.get(common.key_env, "").strip()
    if not text:
        raise ConfigurationError(
            f"no key: put the private active key of {common.account} into the environment variable "
            f"{common.key_env}, or name another with --key-env"
        )
    try:
        return Key(text)
    except SigningError as error:
        raise ConfigurationError(f"{common.key_env}: {error}") from None


def _chain(common: Common) -> tuple[Node, Position, str]:
    """The first node that answers, where its chain is, and the chain id to sign under."""
    from settlement.payouts.chain import ChainError, Node, check_clock
    from settlement.payouts.signing import MAINNET, check_chain_id

    failure = ChainError("no node: give --node URL")
    fixed = None if common.chain_id == DEVNET else check_chain_id(common.chain_id or MAINNET)
    for at, url in enumerate(common.node):
        node = Node(url)
        try:
            chain_id = fixed or node.devnet_chain_id()
            position = node.position()
            if chain_id == MAINNET:
                check_clock(position, time.time())
        except ChainError as error:
            failure = failure if at else error
        else:
            return node, position, chain_id
    raise failure


# -- the commands ---------------------------------------------------------------------------------


@click.group()
def intent() -> None:
    """Build what a trader signs: checked against the venue, printed as JSON to paste into a wallet.

    With --sign it is signed (key in the environment) and sent, once.
    """


def _option(name: str, help_text: str, **more: Any) -> Callable[[Function], Function]:
    return click.option(name, help=help_text, **more)


_symbol = _option("--symbol", "The base, as PEK.", required=True)
_quote = _option("--quote", "The quote; by default the only one of the base, else SWAP.HIVE.")
_settle = _option("--settle", "Where what the order receives goes.", type=click.Choice(["venue", "wallet"]))
_ref = _option("--ref", "Your own reference, up to 32 of A-Z a-z 0-9 . _ -")
_order_id = _option("--id", "The order's id.", required=True)


def _limit_options(function: Function) -> Function:
    for option in (
        _ref,
        _settle,
        _option("--post-only", "Rejected rather than trade at once.", is_flag=True),
        _option("--time-in-force", "GTC by default.", type=click.Choice(["GTC", "IOC", "FOK"])),
        _option("--expiration", "Seconds that it rests at most.", type=int),
        _option("--price", "Quote for one base.", required=True),
        _option("--quantity", "Base.", required=True),
        _quote,
        _symbol,
    ):
        function = option(function)
    return function


def _market_options(quantity: str) -> Callable[[Function], Function]:
    def add(function: Function) -> Function:
        for option in (
            _ref,
            _settle,
            _option("--price", "The worst price."),
            _option("--quantity", quantity, required=True),
            _quote,
            _symbol,
        ):
            function = option(function)
        return function

    return add


@intent.command()
@_limit_options
@_intent
def buy(market: Market, **options: Any) -> Draft:
    """A limit order to buy.

    Example: peakedex intent buy --symbol PEK --quantity 100 --price 0.0004 --venue venues/example.toml
    """
    return intents.place_limit(market, "buy", **options)


@intent.command()
@_limit_options
@_intent
def sell(market: Market, **options: Any) -> Draft:
    """A limit order to sell.

    Example: peakedex intent sell --symbol PEK --quantity 100 --price 0.0005 --venue venues/example.toml
    """
    return intents.place_limit(market, "sell", **options)


@intent.command("market-buy")
@_market_options("Quote to spend.")
@_intent
def market_buy(market: Market, **options: Any) -> Draft:
    """Buy for an amount of quote at what the book asks.

    Example: peakedex intent market-buy --symbol PEK --quantity 0.5 --venue venues/example.toml
    """
    return intents.place_market(market, "marketBuy", **options)


@intent.command("market-sell")
@_market_options("Base to sell.")
@_intent
def market_sell(market: Market, **options: Any) -> Draft:
    """Sell an amount of base at what the book bids.

    Example: peakedex intent market-sell --symbol PEK --quantity 100 --venue venues/example.toml
    """
    return intents.place_market(market, "marketSell", **options)


@intent.command()
@_order_id
@_ref
@_intent
def cancel(market: Market, id: str, ref: str | None) -> Draft:
    """Cancel one open order.

    Example: peakedex intent cancel --id 0f3c…e1 --venue venues/example.toml
    """
    return intents.cancel(market, id, ref=ref)


@intent.command("cancel-all")
@_option("--symbol", "Only orders of this base.")
@_option("--quote", "Only orders of this quote.")
@_ref
@_intent
def cancel_all(market: Market, **options: Any) -> Draft:
    """Cancel all open orders, or those of a base or quote.

    Example: peakedex intent cancel-all --symbol PEK --venue venues/example.toml
    """
    return intents.cancel_all(market, **options)


@intent.command()
@_order_id
@_option("--quantity", "The new quantity; what remains by default.")
@_option("--price", "The new price.")
@_option("--symbol", "The order's base, to check the amounts here.")
@_option("--quote", "The order's quote, to check the amounts here.")
@_ref
@_intent
def replace(market: Market, id: str, **options: Any) -> Draft:
    """Cancel an order and place it anew, in one step.

    Example: peakedex intent replace --id 0f3c…e1 --price 0.0006 --venue venues/example.toml
    """
    return intents.replace(market, id, **options)


@intent.command()
@_option("--symbol", "The token or coin.", required=True)
@_option("--quantity", "How much, or `all`.", required=True)
@_option("--to", "The account that gets it; the signer by default.")
@_option("--memo", "The memo that it gets.")
@_ref
@_intent
def withdraw(market: Market, **options: Any) -> Draft:
    """Take something out of the venue.

    Example: peakedex intent withdraw --symbol PEK --quantity all --venue venues/example.toml
    """
    return intents.withdraw(market, **options)


@intent.command()
@_option("--symbol", "The token or coin.", required=True)
@_option("--quantity", "How much.", required=True)
@_option("--memo", "A memo; the venue needs none.")
@_intent
def deposit(market: Market, **options: Any) -> Draft:
    """Move something to its escrow account: a transfer of HIVE or HBD, tokens.transfer for all else.

    Example: peakedex intent deposit --symbol HBD --quantity 10 --venue venues/example.toml
    """
    return intents.deposit(market, **options)
