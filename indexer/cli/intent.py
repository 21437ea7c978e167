"""`peakedex intent`: builds and checks every action of the protocol; with `--sign`, signs and broadcasts it.

The commands and their options are made from the table of actions in `indexer.intents`.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click

from indexer import settings as config
from indexer.cli.support.common import read_venue
from indexer.cli.support.errors import CheckFailed
from indexer.intents import fields
from indexer.intents.actions import OPERATORS, TRADERS, ActionSpec
from indexer.intents.drafts import Draft, build, venue_of_api
from indexer.intents.drafts import deposit as deposit_draft
from indexer.intents.explain import IntentError
from indexer.intents.fields import Field
from indexer.intents.sandbox import Situation
from settlement.core.parsing.intents import DEFAULT_QUOTE
from settlement.core.venue import Venue
from settlement.net.http_client import HttpClient, HttpError

KEY_ENV: Final = {"active": "PEAKEDEX_ACTIVE_KEY", "posting": "PEAKEDEX_POSTING_KEY"}
_SPAN_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_EXAMPLE_VENUE: Final = "--venue venues/example.toml"
_SPAN: Final = re.compile(r"([0-9]{1,9})([smhd])")


@dataclass(frozen=True, slots=True)
class Common:
    """The options of every action."""

    venue: Path | None
    api: str | None
    as_json: bool
    account: str | None  # the signer
    sign: bool
    node: tuple[str, ...]
    key_env: str | None
    chain_id: str | None
    expires_in: int  # seconds
    posting: bool = False


_COMMON: Final = (
    config.setting("venue", help="Venue file with the pairs and tokens."),
    click.option("--api", metavar="URL", help="URL of a running API, instead of a venue file."),
    click.option("--json", "as_json", is_flag=True, help="Print the complete operation as JSON."),
    click.option("--account", metavar="NAME", help="The signer, such as alice; needed by --json and --sign."),
    click.option("--sign", is_flag=True, help="Sign and broadcast it."),
    config.setting("node", help="Hive node to broadcast to; the first that responds is used."),
    click.option(
        "--key-env",
        metavar="NAME",
        help=f"Environment variable with the private key; {KEY_ENV['active']} by default, with --posting "
        f"{KEY_ENV['posting']}.",
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
_POSTING: Final = click.option(
    "--posting", is_flag=True, help="Sign with the posting key, under the account's grant to posting."
)


class _Time(click.ParamType[int]):
    """A time: Unix seconds, or a span from now such as 30d."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        text = str(value)
        span = _SPAN.fullmatch(text)
        if span is not None:
            return int(time.time()) + int(span[1]) * _SPAN_SECONDS[span[2]]
        if not re.fullmatch("[0-9]{1,18}", text):
            self.fail(f"{text!r} is neither Unix seconds nor a span such as 60s, 5m, 12h or 30d", param, ctx)
        return int(text)


class _Allowance(click.ParamType[tuple[str, str]]):
    """SYMBOL=AMOUNT."""

    name = "SYMBOL=AMOUNT"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        symbol, sign, amount = str(value).partition("=")
        if not sign:
            self.fail(f"{value!r} must be SYMBOL=AMOUNT, such as PEK=1000", param, ctx)
        return symbol, amount


class _Text(click.ParamType[str]):
    """Text that can be sent: bytes of the command line that are no UTF-8 cannot."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        text = str(value)
        try:
            text.encode()
        except UnicodeEncodeError:
            self.fail("is not UTF-8 text", param, ctx)
        return text


def _option(field: Field, *, required: bool) -> click.Option:
    """The command line option of a field; its value is None where it is not given."""
    more: dict[str, Any] = {"required": required, "help": field.help}
    match field.kind:
        case "flag":
            more |= {"is_flag": True, "default": None}
        case "integer":
            more |= {"type": int}
        case "time":
            more |= {"type": _Time()}
        case "pairs":
            more |= {"multiple": True, "metavar": "BASE/QUOTE"}
        case "amounts":
            more |= {"multiple": True, "type": _Allowance(), "metavar": "SYMBOL=AMOUNT"}
        case _:
            more |= {"type": _Text()}
    if field.choices:
        more["type"] = click.Choice(field.choices)
    return click.Option([f"--{field.option}", field.key], **more)


def _payload(spec: ActionSpec, options: Mapping[str, Any]) -> dict[str, object]:
    """The payload that the options give."""
    payload: dict[str, object] = {}
    for field in spec.fields:
        value = options[field.key]
        if field.kind == "pairs":
            value = list(value)
        elif field.kind == "amounts":
            value = dict(value)
        if value is not None:
            payload[field.key] = value
    return payload


def _command(spec: ActionSpec) -> click.Command:
    """The command of an action."""

    def run(**options: Any) -> None:
        common = _common(options)
        pair = None
        if spec.name == "replace" and options["symbol"] is not None:
            pair = f"{options['symbol']}/{options['quote'] or DEFAULT_QUOTE}"
        _finish(lambda situation: build(spec.name, _payload(spec, options), situation, pair=pair), common)

    options = [_option(field, required=field in spec.required) for field in spec.fields]
    if spec.name == "replace":
        options += [
            _option(
                fields.SYMBOL.but(help="The order's base, such as PEK, to check the amounts."), required=False
            ),
            _option(fields.QUOTE.but(help="The order's quote, such as SWAP.BTC."), required=False),
        ]
    command = click.Command(
        spec.command,
        params=list[click.Parameter](options),
        callback=run,
        help=f"{spec.summary}\n\nExample: peakedex intent {spec.command} {spec.example} {_EXAMPLE_VENUE}",
    )
    return _with_common(command, posting=spec.by_grant)


def _with_common(command: click.Command, *, posting: bool) -> click.Command:
    for option in (*_COMMON, *((_POSTING,) if posting else ())):
        option(command)
    return command


def _common(options: Mapping[str, Any]) -> Common:
    return Common(**{name: options[name] for name in Common.__dataclass_fields__ if name in options})


def _finish(draft_of: Callable[[Situation], Draft], common: Common) -> None:
    """Build and check the draft, then print it, or sign and broadcast it."""
    try:
        situation = Situation(_venue(common), int(time.time()), common.account, posting=common.posting)
        draft = draft_of(situation)
        if common.sign:
            _send(draft, common)
        elif common.as_json:
            click.echo(json.dumps(draft.operation(_account(common, "--json")), ensure_ascii=False))
        else:
            if common.account is not None:
                draft.operation(common.account)
            click.echo(draft.text())
    except IntentError as error:
        raise CheckFailed(error) from error


def _send(draft: Draft, common: Common) -> None:
    from indexer.cli.intent_signing import Signing, sign_and_broadcast  # beem is slow to import

    account = _account(common, "--sign")
    role = "posting" if common.posting else "active"
    signing = Signing(
        account=account,
        role=role,
        key_env=common.key_env or KEY_ENV[role],
        nodes=common.node,
        chain_id=common.chain_id,
        expires_in=common.expires_in,
        as_json=common.as_json,
    )
    sign_and_broadcast(draft.operation(account), signing)


def _account(common: Common, option: str) -> str:
    if common.account is None:
        raise click.UsageError(f"{option} requires --account NAME")
    return common.account


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


class _Actions(click.Group):
    """Group of the actions, which are also found by their names in the protocol (`marketBuy`)."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        spec = next((spec for spec in (*TRADERS, *OPERATORS) if spec.name == cmd_name), None)
        return super().get_command(ctx, cmd_name if spec is None else spec.command)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order of the table, the operator's last."""
        return list(self.commands)


@click.group(cls=_Actions)
def intent() -> None:
    """Build and check an order, a cancel, a grant, a withdrawal, or any other action.

    It is printed as JSON for a wallet. With --sign it is signed with the key in the environment, and
    broadcast once.
    """


@click.command()
@click.option("--symbol", help="Token or coin, such as HBD.", required=True)
@click.option("--quantity", help="Amount, such as 10.", required=True)
@click.option("--memo", help="Memo, such as hello; not needed by the venue.")
def deposit(symbol: str, quantity: str, memo: str | None, **options: Any) -> None:
    """Deposit to the venue: a transfer of HIVE or HBD, or a tokens.transfer of another token.

    Example: peakedex intent deposit --symbol HBD --quantity 10 --venue venues/example.toml
    """
    _finish(
        lambda situation: deposit_draft(situation, symbol=symbol, quantity=quantity, memo=memo),
        _common(options),
    )


for _spec in TRADERS:
    intent.add_command(_command(_spec))
intent.add_command(_with_common(deposit, posting=False))
for _spec in OPERATORS:
    intent.add_command(_command(_spec))
