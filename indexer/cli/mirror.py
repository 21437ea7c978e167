"""`peakedex mirror`: an example of a market maker, and its simulation over recorded trades."""

from __future__ import annotations

import threading
import time
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final

import click

from indexer import settings as config
from indexer.cli.support.common import show
from indexer.cli.support.errors import CheckFailed, ConfigurationError
from indexer.cli.support.processes import stop_event

DAY_SECONDS: Final = 86_400
KEY_ENV: Final = "PEAKEDEX_ACTIVE_KEY"


class _Amount(click.ParamType[Decimal]):
    """An exact amount."""

    name = "amount"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Decimal:
        try:
            number = Decimal(str(value))
        except InvalidOperation:
            number = Decimal(-1)
        if not number.is_finite() or number < 0:
            self.fail(f"{value!r} is not an amount such as 1000 or 12.5", param, ctx)
        return number


@click.command()
@click.option(
    "--api", metavar="URL", default="http://127.0.0.1:8080", show_default=True, help="The exchange."
)
@click.option("--pair", default="PEK/SWAP.HIVE", show_default=True, help="What it quotes.")
@click.option("--size", type=_Amount(), required=True, help="Base on each side, such as 1000.")
@click.option("--target", type=_Amount(), required=True, help="Base that it wants to hold, such as 50000.")
@click.option(
    "--limit", type=_Amount(), required=True, help="How far it may get away from the target, such as 20000."
)
@click.option(
    "--spread-bps", type=int, default=200, show_default=True, help="Between bid and ask, in basis points."
)
@click.option(
    "--skew-bps",
    type=int,
    default=100,
    show_default=True,
    help="By how much both quotes are shifted at a limit, to get back to the target.",
)
@click.option(
    "--max-move-bps",
    type=int,
    default=500,
    show_default=True,
    help="A reference that moved further within a round is not quoted at once.",
)
@click.option(
    "--every", type=click.FloatRange(1, 3600), default=15.0, show_default=True, help="Seconds a round."
)
@click.option(
    "--simulate",
    metavar="DAYS",
    type=click.IntRange(1, 366),
    help="Trade nothing: print what the last days' recorded trades would have made of it.",
)
@click.option(
    "--quote",
    type=_Amount(),
    help="Quote that the simulation begins with; as much as the limit is worth by default.",
)
@click.option("--reference-api", metavar="URL", help="Another Peake DEX, instead of the sidechain's market.")
@config.setting("engine-node", help="Hive-Engine node with the market that it mirrors; the first is used.")
@config.setting("node", help="Hive node to send to; give several.")
@config.setting("chain-id")
@click.option("--account", metavar="NAME", help="The Hive account that trades.")
@click.option("--for", "acting_for", metavar="NAME", help="The account that it trades for, under its grant.")
@click.option(
    "--key-env",
    metavar="NAME",
    default=KEY_ENV,
    show_default=True,
    help="Environment variable with the active key.",
)
@click.option(
    "--journal",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("mirror.journal"),
    show_default=True,
    help="File of what it signed.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the simulation's result as JSON.")
def mirror(**options: Any) -> None:
    """Quote a pair around another market's prices: an example, not advice.

    It keeps one bid and one ask, within limits of inventory, and cancels all when it stops. Should it die,
    the exchange cancels its quotes after a minute or four rounds.

    Example: peakedex mirror --size 1000 --target 50000 --limit 20000 --simulate 7
    """
    from peakedex.client import ClientError, InputError

    try:
        if options["simulate"] is not None:
            _simulate(options)
        else:
            _trade(options)
    except InputError as error:
        raise ConfigurationError(error) from None
    except ClientError as error:
        raise CheckFailed(error) from None


def _settings(options: dict[str, Any]) -> Any:
    from peakedex.mirror.strategy import Settings

    names = ("size", "target", "limit", "spread_bps", "skew_bps", "max_move_bps")
    return Settings(**{name: options[name] for name in names})


def _trade(options: dict[str, Any]) -> None:
    from peakedex.client import Api, HiveNodes, KeySigner, Trader
    from peakedex.client.signing import MAINNET
    from peakedex.mirror.maker import Maker, Round
    from peakedex.mirror.references import other_exchange, sidechain_market

    settings, pair = _settings(options), options["pair"]
    if options["account"] is None:
        raise click.UsageError("no account: use --account NAME, or --simulate DAYS to trade nothing")
    if options["reference_api"] is not None:
        read = other_exchange(options["reference_api"], pair)
    else:
        read = sidechain_market(options["engine_node"][0], pair)
    signer = KeySigner(options["account"], options["key_env"])
    nodes = HiveNodes(options["node"], chain_id=options["chain_id"] or MAINNET)
    trader = Trader(Api(options["api"]), nodes, signer, options["journal"], acting_for=options["acting_for"])
    stop: threading.Event = stop_event()

    def report(done: Round) -> None:
        click.echo(f"{time.strftime('%H:%M:%S')}  {done}")

    try:
        maker = Maker(trader, pair, read, settings, every=options["every"])
        maker.run(lambda: stop.wait(options["every"]), report)
        click.echo("stopped: its quotes are cancelled")
    finally:
        trader.close()


def _simulate(options: dict[str, Any]) -> None:
    from peakedex.client import Api
    from peakedex.client.amounts import split_pair
    from peakedex.mirror.simulation import simulate

    settings, api, pair = _settings(options), Api(options["api"]), options["pair"]
    rules = api.venue().pair(*split_pair(pair))
    if rules is None:
        raise ConfigurationError(f"--pair {pair} is not listed by {options['api']}")
    trades = api.trades_since(pair, options["simulate"] * DAY_SECONDS)
    if not trades:
        raise CheckFailed(f"{pair} has no trades in the last {options['simulate']} days")
    quote = options["quote"] if options["quote"] is not None else settings.limit * trades[0].price
    result = simulate(trades, rules, settings, quote=quote, every=options["every"])
    values: dict[str, object] = {
        "recorded_trades": result.trades,
        "fills": result.fills,
        "volume": _rounded(result.volume),
        "fees": _rounded(result.fees),
        "profit": _rounded(result.profit),
        "worst_profit": _rounded(result.worst),
        "base": _rounded(result.base),
        "least_base": _rounded(result.least_base),
        "most_base": _rounded(result.most_base),
        "quote": _rounded(result.quote),
        "value": _rounded(result.value),
    }
    show(values, as_json=options["as_json"])


def _rounded(amount: Decimal) -> str:
    return f"{amount:.8f}"
