"""Quotes both sides of a pair around the middle of its book, within limits of inventory; no advice.

    export BOT_KEY=5J…            the account's active key
    python quote_bot.py --account alice --api http://127.0.0.1:8080 --node https://api.hive.blog --rounds 100

Whatever happens to it, it has at most one order a side: it quotes anew only when it knows what became of the
quotes before, and if it dies, the exchange cancels them a minute later. It can be started again at any time.
"""

from __future__ import annotations

import argparse
import os
import time
from decimal import ROUND_DOWN, ROUND_UP, Decimal

from peakedex.client import MAINNET, Api, ClientError, HiveNodes, Intent, KeySigner, State, Ticket, Trader

SWITCH_SECONDS = 60  # without a new round for so long, all quotes are cancelled
LIFETIME_SECONDS = 600  # and no quote is older than this


def main() -> None:
    options = arguments()
    trader = Trader(
        Api(options.api),
        HiveNodes(options.node, chain_id=options.chain_id),
        KeySigner(options.account, "BOT_KEY"),
        options.journal,
        expires_in=30,
    )
    # First of all what a bot before this one may have left on its way.
    trader.wait_all()
    quotes: dict[str, Ticket] = {}
    for number in range(options.rounds):
        try:
            quotes = quote(trader, options, quotes)
            print(f"round {number + 1}: {describe(quotes)}", flush=True)
        except ClientError as error:
            print(f"round {number + 1}: {error}", flush=True)
        time.sleep(options.every)
    trader.wait(trader.place(trader.build.cancel_all()))
    print("all quotes are cancelled", flush=True)


def quote(trader: Trader, options: argparse.Namespace, old: dict[str, Ticket]) -> dict[str, Ticket]:
    """Cancel the quotes of the round before and place new ones, in one signature."""
    build, price = trader.build, middle(trader.api, options.pair)
    # By account and not by what we remember: nothing else may be left in the book.
    intents: list[Intent] = [build.cancel_all_after(SWITCH_SECONDS), build.cancel_all()]
    sides = []
    for side in ("buy", "sell"):
        ours = quote_price(trader, options, side, price)
        if price and is_within_limits(trader, options, side):
            size = Decimal(options.size)
            intents.append(
                build.limit(side, options.pair, size, ours, post_only=True, lifetime=LIFETIME_SECONDS)
            )
            sides.append(side)
    tickets = trader.wait_all(trader.send(*intents))
    return dict(zip(sides, tickets[2:], strict=True))


def quote_price(trader: Trader, options: argparse.Namespace, side: str, price: Decimal) -> Decimal:
    """Half the spread away from the middle, rounded away from it to the pair's tick."""
    rules = trader.venue.pair(*options.pair.split("/"))
    assert rules is not None
    half = Decimal(options.spread_bps) / 20_000
    if side == "buy":
        return (price * (1 - half)).quantize(rules.tick, ROUND_DOWN)
    return (price * (1 + half)).quantize(rules.tick, ROUND_UP)


def is_within_limits(trader: Trader, options: argparse.Namespace, side: str) -> bool:
    """No buying above the most that we want to hold, no selling below the least."""
    held = trader.api.balances(trader.account).get(options.pair.split("/")[0])
    amount = held.total if held else Decimal(0)
    return amount < Decimal(options.most) if side == "buy" else amount > Decimal(options.least)


def middle(api: Api, pair: str) -> Decimal:
    """Between the best bid and ask, else the last price; 0 without both."""
    found = api.price(pair)
    return found.mid or found.last or Decimal(0)


def describe(quotes: dict[str, Ticket]) -> str:
    said = []
    for side, ticket in quotes.items():
        if ticket.state == State.OPEN and ticket.order is not None:
            said.append(f"{side} {ticket.order.remaining:f} at {ticket.order.price:f}")
        else:
            said.append(f"{side} {ticket.state} {ticket.code or ''}".rstrip())
    return ", ".join(said) or "no quote"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Quote both sides of a pair.")
    parser.add_argument(
        "--account", default=os.environ.get("BOT"), help="Hive account; its key is in BOT_KEY"
    )
    parser.add_argument("--api", default="http://127.0.0.1:8080")
    parser.add_argument("--node", action="append", required=True, help="Hive node; give several")
    parser.add_argument("--chain-id", default=MAINNET)
    parser.add_argument("--journal", default="quote_bot.journal")
    parser.add_argument("--pair", default="PEK/SWAP.HIVE")
    parser.add_argument("--spread-bps", type=int, default=100)
    parser.add_argument("--size", default="100", help="of base, on each side")
    parser.add_argument("--least", default="0", help="base below which it does not sell")
    parser.add_argument("--most", default="10000000", help="base above which it does not buy")
    parser.add_argument("--rounds", type=int, default=1_000_000)
    parser.add_argument("--every", type=float, default=15.0, help="seconds between rounds")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        main()
    except ClientError as error:
        raise SystemExit(str(error)) from None
