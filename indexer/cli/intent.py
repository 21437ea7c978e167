"""`peakedex intent`: builds and checks what a trader signs; with `--sign`, signs and broadcasts it."""

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

from indexer import intents
from indexer import settings as config
from indexer.cli.support.common import read_venue, show
from indexer.cli.support.errors import CheckFailed, ConfigurationError
from indexer.cli.support.nodes import expected_chain
from indexer.intents import Draft, IntentError, venue_of_api
from settlement.core.venue import Venue
from settlement.net.chain_id import DEVNET, MAINNET
from settlement.net.http_client import HttpClient, HttpError

if TYPE_CHECKING:
    from settlement.payouts.chain.nodes import ChainPosition, HiveNode
    from settlement.payouts.signing.transactions import Key, SignedTransaction

DEFAULT_KEY_ENV: Final = "PEAKEDEX_ACTIVE_KEY"
Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Common:
    """The options of every intent."""

    venue: Path | None
    api: str | None
    as_json: bool
    account: str | None  # the signer
    sign: bool
    node: tuple[str, ...]
    key_env: str
    chain_id: str | None
    expires_in: int  # seconds


_COMMON: Final = (
    config.setting("venue", help="Venue file with the pairs and tokens."),
    click.option("--api", metavar="URL", help="URL of a running API, instead of a venue file."),
    click.option("--json", "as_json", is_flag=True, help="Print the complete operation as JSON."),
    click.option("--account", metavar="NAME", help="The signer; required by --json and --sign."),
    click.option("--sign", is_flag=True, help="Sign and broadcast it."),
    config.setting("node", help="Hive node to broadcast to; the first that responds is used."),
    click.option(
        "--key-env",
        metavar="NAME",
        default=DEFAULT_KEY_ENV,
        show_default=True,
        help="Environment variable with the account's private active key.",
    ),
    config.setting("chain-id"),
    click.option(
        "--expires-in",
        metavar="SECONDS",
        type=click.IntRange(10, 3600),
        default=60,
        show_default=True,
        help="Validity of the signed transaction.",
    ),
)


def _intent(command: Callable[..., Draft]) -> Callable[..., None]:
    """Decorator: gives a command that builds a draft the common options, and prints or sends its draft."""

    @functools.wraps(command)
    def run(**options: Any) -> None:
        common = Common(**{name: options.pop(name) for name in Common.__dataclass_fields__})
        try:
            draft = command(_venue(common), **options)
            _finish(draft, common)
        except IntentError as error:
            raise CheckFailed(error) from error

    wrapped: Callable[..., None] = run
    for option in reversed(_COMMON):
        wrapped = option(wrapped)
    return wrapped


def _venue(common: Common) -> Venue:
    if common.api is not None:
        return _venue_of_api(common.api)
    if common.venue is None:
        raise click.UsageError("no venue: use --venue FILE, set PEAKEDEX_VENUE, or use --api URL")
    return read_venue(common.venue)


def _venue_of_api(url: str) -> Venue:
    try:
        body = json.loads(HttpClient().get(f"{url.rstrip('/')}/api/venue").body)
    except HttpError as error:
        raise CheckFailed(f"--api {error}") from error
    except ValueError as error:
        raise CheckFailed(f"--api {url}: the answer of /api/venue is not JSON") from error
    return venue_of_api(body)


def _finish(draft: Draft, common: Common) -> None:
    """Print the draft, or sign and broadcast it."""
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
        raise click.UsageError(f"{option} requires --account NAME")
    return common.account


def _send(draft: Draft, common: Common) -> None:
    from settlement.payouts.chain.nodes import ChainError
    from settlement.payouts.signing.transactions import SignedTransaction, SigningError, Transaction

    operation = draft.operation(_account(common, "--sign"))
    try:
        key = _key(common)
        node, position, chain_id = _chain(common)
        unsigned = Transaction.after(position.block_id, position.time + common.expires_in, operation)
        signed = SignedTransaction(unsigned, (key.sign(unsigned, chain_id),))
    except (ChainError, SigningError) as error:
        raise CheckFailed(error) from None
    # Printed before the broadcast, so that the transaction can be found whatever happens.
    click.echo(f"transaction {signed.id}, expires {signed.expiration}Z", err=True)
    outcome = node.broadcast(signed)
    _report(signed, outcome.status, outcome.reason, node, common)


def _report(signed: SignedTransaction, status: str, reason: str, node: HiveNode, common: Common) -> None:
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
            f"unknown outcome of transaction {signed.id}: see /api/intents/{signed.id} or a block explorer. "
            f"Do not sign it again before {signed.expiration}Z, or both could be executed"
        )
    if status == "refused":
        hint = ""
        if "missing required active authority" in reason:
            hint = (
                "; check that the key is the account's active key and the chain id that of the node's chain"
            )
        raise CheckFailed(f"rejected by the node: {reason}{hint}")


def _key(common: Common) -> Key:
    from settlement.payouts.signing.transactions import Key, SigningError

    text = os.environ.get(common.key_env, "").strip()
    if not text:
        raise ConfigurationError(
            f"no key: set the environment variable {common.key_env} to the private active key of "
            f"{common.account}, or choose another variable with --key-env"
        )
    try:
        return Key(text)
    except SigningError as error:
        raise ConfigurationError(f"{common.key_env}: {error}") from None


def _chain(common: Common) -> tuple[HiveNode, ChainPosition, str]:
    """The first node that responds, its chain's position, and the chain id to sign for."""
    from settlement.payouts.chain.chain_time import check_clock
    from settlement.payouts.chain.nodes import ChainError, HiveNode

    failure = ChainError("no node: use --node URL")
    chain = expected_chain(common.chain_id)
    for at, url in enumerate(common.node):
        node = HiveNode(url, chain=chain)
        try:
            is_devnet = common.chain_id == DEVNET
            chain_id = node.devnet_chain_id() if is_devnet else common.chain_id or MAINNET
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
    """Build and check an order, cancel, withdrawal or deposit.

    It is printed as JSON for a wallet. With --sign it is signed with the key in the environment, and
    broadcast once.
    """


def _option(name: str, help_text: str, **more: Any) -> Callable[[Function], Function]:
    return click.option(name, help=help_text, **more)


_symbol = _option("--symbol", "Base, such as PEK.", required=True)
_quote = _option("--quote", "Quote; the base's only quote by default, else SWAP.HIVE.")
_settle = _option(
    "--settle", "Where the proceeds go; venue by default.", type=click.Choice(["venue", "wallet"])
)
_ref = _option("--ref", "Your reference, 1 to 32 of A-Z a-z 0-9 . _ -")
_order_id = _option("--id", "Order id.", required=True)


def _options(*options: Callable[[Function], Function]) -> Callable[[Function], Function]:
    """Decorator that adds several options to a command."""

    def add(function: Function) -> Function:
        for option in reversed(options):
            function = option(function)
        return function

    return add


_limit_options = _options(
    _symbol,
    _quote,
    _option("--quantity", "Quantity of base.", required=True),
    _option("--price", "Limit price, in quote per base.", required=True),
    _option("--expiration", "Seconds until the order expires, at most the venue's order_lifetime.", type=int),
    _option("--time-in-force", "Time in force; GTC by default.", type=click.Choice(["GTC", "IOC", "FOK"])),
    _option("--post-only", "Reject the order if it would execute immediately.", is_flag=True),
    _settle,
    _ref,
)


def _market_options(quantity: str) -> Callable[[Function], Function]:
    return _options(
        _symbol,
        _quote,
        _option("--quantity", quantity, required=True),
        _option("--price", "Worst acceptable price; no limit by default."),
        _settle,
        _ref,
    )


@intent.command()
@_limit_options
@_intent
def buy(venue: Venue, **options: Any) -> Draft:
    """Place a limit order to buy.

    Example: peakedex intent buy --symbol PEK --quantity 100 --price 0.0004 --venue venues/example.toml
    """
    return intents.place_limit(venue, "buy", **options)


@intent.command()
@_limit_options
@_intent
def sell(venue: Venue, **options: Any) -> Draft:
    """Place a limit order to sell.

    Example: peakedex intent sell --symbol PEK --quantity 100 --price 0.0005 --venue venues/example.toml
    """
    return intents.place_limit(venue, "sell", **options)


@intent.command("market-buy")
@_market_options("Amount of quote to spend.")
@_intent
def market_buy(venue: Venue, **options: Any) -> Draft:
    """Place a market order to buy for an amount of quote.

    Example: peakedex intent market-buy --symbol PEK --quantity 0.5 --venue venues/example.toml
    """
    return intents.place_market(venue, "marketBuy", **options)


@intent.command("market-sell")
@_market_options("Quantity of base to sell.")
@_intent
def market_sell(venue: Venue, **options: Any) -> Draft:
    """Place a market order to sell a quantity of base.

    Example: peakedex intent market-sell --symbol PEK --quantity 100 --venue venues/example.toml
    """
    return intents.place_market(venue, "marketSell", **options)


@intent.command()
@_order_id
@_ref
@_intent
def cancel(venue: Venue, id: str, ref: str | None) -> Draft:
    """Cancel one open order.

    Example: peakedex intent cancel --id 0f3c…e1 --venue venues/example.toml
    """
    return intents.cancel(venue, id, ref=ref)


@intent.command("cancel-all")
@_option("--symbol", "Only orders with this base.")
@_option("--quote", "Only orders with this quote.")
@_ref
@_intent
def cancel_all(venue: Venue, **options: Any) -> Draft:
    """Cancel all open orders, or those with a base or quote.

    Example: peakedex intent cancel-all --symbol PEK --venue venues/example.toml
    """
    return intents.cancel_all(venue, **options)


@intent.command()
@_order_id
@_option("--quantity", "New quantity; the remaining quantity by default.")
@_option("--price", "New price; the same by default.")
@_option("--symbol", "The order's base, to check the amounts.")
@_option("--quote", "The order's quote, to check the amounts.")
@_ref
@_intent
def replace(venue: Venue, id: str, **options: Any) -> Draft:
    """Replace an order by one with another quantity or price, in one step.

    Example: peakedex intent replace --id 0f3c…e1 --price 0.0006 --venue venues/example.toml
    """
    return intents.replace(venue, id, **options)


@intent.command()
@_option("--symbol", "Token or coin.", required=True)
@_option("--quantity", "Amount, or `all`.", required=True)
@_option("--to", "Recipient account; the signer by default.")
@_option("--memo", "Memo of the payment.")
@_ref
@_intent
def withdraw(venue: Venue, **options: Any) -> Draft:
    """Withdraw from the venue.

    Example: peakedex intent withdraw --symbol PEK --quantity all --venue venues/example.toml
    """
    return intents.withdraw(venue, **options)


@intent.command()
@_option("--symbol", "Token or coin.", required=True)
@_option("--quantity", "Amount.", required=True)
@_option("--memo", "Memo; not needed by the venue.")
@_intent
def deposit(venue: Venue, **options: Any) -> Draft:
    """Deposit to the venue: a transfer of HIVE or HBD, or a tokens.transfer of another token.

    Example: peakedex intent deposit --symbol HBD --quantity 10 --venue venues/example.toml
    """
    return intents.deposit(venue, **options)
