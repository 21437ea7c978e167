"""Accounts to practise with: anybody gets one, with money in its wallet and the same again at the venue."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from typing import Final

from indexer.devnet.hive.errors import ChainError
from indexer.devnet.hive.operations import COINS, Operation
from indexer.devnet.node import DevNode
from indexer.devnet.traders.intents import deposit, parse_units
from indexer.devnet.venue import VenueView

PREFIX: Final = "practice-"
PURSE: Final[Mapping[str, str]] = {
    "PEK": "1000000",
    "HIVE": "500",
    "HBD": "200",
    "SWAP.HIVE": "500",
    "SWAP.BTC": "0.01",
    "SWAP.LTC": "2",
    "SWAP.ETH": "0.1",
}
"""What a wallet holds at the start; of other tokens it is OTHERS. The venue gets as much on top."""
OTHERS: Final = "1000"

_NAME: Final = re.compile(rf"{PREFIX}[0-9a-f]{{6}}")


def practise(node: DevNode, venue: VenueView | None, name: str | None = None) -> dict[str, object]:
    """The account of that name, or a new one: its private active key and the chain it belongs to.

    It is made where the chain has none, so that a page left open finds its account again after a restart.
    Raises ChainError for a name that is not one of ours: no other account's key is told here.
    """
    if name is None:
        name = PREFIX + secrets.token_hex(3)
    elif _NAME.fullmatch(name) is None:
        raise ChainError(
            f"{name[:32]!r} is not an account to practise with: {PREFIX} and six digits of 0-9a-f"
        )
    if name not in node.chain.accounts:
        _fit_out(node, venue, name)
    key = node.chain.accounts.private_key(name, "active")
    return {
        "account": name,
        "wif": key.wif,
        "public_key": key.public_key,
        "chain_id": node.chain.chain_id.hex(),
    }


def _fit_out(node: DevNode, venue: VenueView | None, name: str) -> None:
    """Fill the wallet on both chains, and deposit a part of it."""
    symbols = tuple(COINS) if venue is None else tuple(dict.fromkeys((*COINS, *venue.tokens)))
    node.faucet(name)
    deposits: list[Operation] = []
    for symbol in symbols:
        amount = PURSE.get(symbol, OTHERS)
        node.faucet(name, symbol, amount)
        if venue is not None and symbol in venue.tokens:
            node.faucet(name, symbol, amount)
            units = parse_units(amount, venue.tokens[symbol].precision)
            deposits.append(deposit(venue, symbol, name, units))
    if deposits:
        node.submit(deposits)
