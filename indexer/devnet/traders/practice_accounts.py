"""Practice accounts: new accounts with a funded wallet and the same amounts deposited at the venue."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from typing import Final

from indexer.devnet.hive.authority import Role
from indexer.devnet.hive.errors import ChainError
from indexer.devnet.hive.operations import COINS, Operation
from indexer.devnet.node import DevNode
from indexer.devnet.traders.payloads import deposit, parse_units
from indexer.devnet.venue import VenueView

PREFIX: Final = "practice-"
STARTING_BALANCES: Final[Mapping[str, str]] = {
    "PEK": "1000000",
    "HIVE": "500",
    "HBD": "200",
    "SWAP.HIVE": "500",
    "SWAP.BTC": "0.01",
    "SWAP.LTC": "2",
    "SWAP.ETH": "0.1",
}
"""Amount of each token in the wallet, and the same again at the venue; DEFAULT_BALANCE for other tokens."""
DEFAULT_BALANCE: Final = "1000"

_ROLES: Final[tuple[Role, ...]] = ("active", "posting")
_NAME: Final = re.compile(rf"{PREFIX}[0-9a-f]{{6}}")


def practice_account(node: DevNode, venue: VenueView | None, name: str | None = None) -> dict[str, object]:
    """The practice account of that name, or a new one, with its private active and posting keys.

    A missing account is created, so that a page left open keeps its account after the devnet restarts.
    Raises ChainError for any other name, so that no other account's key is disclosed.
    """
    if name is None:
        name = PREFIX + secrets.token_hex(3)
    elif _NAME.fullmatch(name) is None:
        raise ChainError(f"{name[:32]!r} is not a practice account: {PREFIX} and six hex digits")
    if name not in node.chain.accounts:
        _fund(node, venue, name)
    keys = {role: node.chain.accounts.private_key(name, role) for role in _ROLES}
    return {
        "account": name,
        **{role: {"wif": key.wif, "public_key": key.public_key} for role, key in keys.items()},
        "chain_id": node.chain.chain_id.hex(),
    }


def _fund(node: DevNode, venue: VenueView | None, name: str) -> None:
    """Create the account, fund its wallet on both chains, and deposit the same amounts."""
    symbols = tuple(COINS) if venue is None else tuple(dict.fromkeys((*COINS, *venue.tokens)))
    node.faucet(name)
    deposits: list[Operation] = []
    for symbol in symbols:
        amount = STARTING_BALANCES.get(symbol, DEFAULT_BALANCE)
        node.faucet(name, symbol, amount)
        if venue is not None and symbol in venue.tokens:
            node.faucet(name, symbol, amount)
            units = parse_units(amount, venue.tokens[symbol].precision)
            deposits.append(deposit(venue, symbol, name, units))
    if deposits:
        node.broadcast(deposits)
