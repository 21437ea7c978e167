"""Checks of the escrow accounts: they exist and hold what the ledger counts (protocol, section 8)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from indexer.chain.blocks import BlockError
from indexer.ops.doctor.findings import Finding, fatal, ok, warn
from indexer.ops.doctor.hive import HiveNode
from indexer.ops.doctor.ledger import LIVE_BLOCKS, Ledger
from indexer.ops.doctor.sidechain import SidechainNode
from indexer.sources.escrow_balances import Place, read_coins, read_tokens, text_of, units_of
from settlement.core.accounts import Token as ListedToken
from settlement.core.events import HIVE, HIVE_ENGINE
from settlement.core.parsing.amounts import show_units
from settlement.core.state import State
from settlement.core.venue import TokenRules, Venue
from settlement.net.http_client import NodeError

ROUNDS: Final = 4
"""A payment under way is missing for a block or two: only a shortage in every round counts."""
ROUND_SECONDS: Final = 3.0


class Token(NamedTuple):
    """A listed token, from the ledger, or else the venue file."""

    symbol: str
    precision: int
    chain: str
    escrow: str


@dataclass
class OnChain:
    """Accounts and balances on both chains."""

    accounts: set[str] = field(default_factory=set)
    amounts: dict[Place, str] = field(default_factory=dict)  # decimal text, where not zero
    precisions: dict[str, int] = field(default_factory=dict)
    knows_tokens: bool = False  # whether a sidechain node was asked
    denied: set[str] = field(default_factory=set)  # may act once a day (contract `resourcemanager`)
    blacklisted: set[str] = field(default_factory=set)  # `tokens.transfer` to them is refused


@dataclass
class Escrows:
    """Compares the venue and its ledger with one node of each chain."""

    venue: Venue | None
    ledger: Ledger
    hive: HiveNode
    engine: SidechainNode | None
    wait: Callable[[float], object]

    def tokens(self) -> list[Token]:
        """The listed tokens; the ledger includes those that the operator listed later."""
        state = self.ledger.state
        if state is not None:
            return tokens_of(state.tokens.values())
        return [] if self.venue is None else tokens_of(self.venue.tokens)

    def examine(self) -> Iterator[Finding]:
        """Check accounts, tokens, solvency and balances."""
        tokens = self.tokens()
        if not tokens:
            return
        try:
            chain = self._read(tokens)
        except (NodeError, BlockError) as error:
            yield fatal("escrow", f"the balances cannot be read: {error}", "see the nodes above")
            return
        yield from self._accounts(tokens, chain)
        yield from listed(tokens, chain)
        yield from restricted(tokens, chain)
        if self.ledger.state is not None:
            yield from _debts(self.ledger.state)
            yield from self._balances(tokens, chain)

    def _accounts(self, tokens: Sequence[Token], chain: OnChain) -> Iterator[Finding]:
        missing = [name for name in _escrows(tokens) if name not in chain.accounts]
        for name in missing:
            listed = ", ".join(token.symbol for token in tokens if token.escrow == name)
            yield fatal(
                "escrow",
                f"the account {name} (for {listed}) does not exist on Hive",
                "register it before someone else does",
            )
        if not missing:
            yield ok("escrow", f"all {len(_escrows(tokens))} escrow accounts exist")
        for check, name in self._signers():
            if name not in chain.accounts:
                yield warn(check, f"the account {name} does not exist on Hive", "register it")

    def _signers(self) -> list[tuple[str, str]]:
        """The accounts that sign for the venue, with the check that they belong to."""
        if self.venue is None:
            return []
        return [("operator", self.venue.operator), ("checkpoints", self.venue.checkpoint_account)]

    def _balances(self, tokens: Sequence[Token], chain: OnChain) -> Iterator[Finding]:
        """Lasting shortages, and surpluses."""
        short = self._short(chain)
        for _ in range(ROUNDS - 1):
            if not short or self._behind():
                break
            self.wait(ROUND_SECONDS)
            if self.ledger.reload() is None:
                break
            try:
                chain = self._read(tokens)
            except (NodeError, BlockError):
                break
            again = self._short(chain)
            short = {place: min(short[place], again[place]) for place in short.keys() & again.keys()}
        behind = self._behind()
        for (escrow, symbol), units in sorted(short.items()):
            precision = self._precision(symbol)
            amount = f"{show_units(units, precision)} {symbol}"
            if behind:
                yield warn(
                    "escrow",
                    f"{escrow} holds {amount} less than the ledger says, which is {behind} blocks behind",
                    "check again when the indexer has caught up",
                )
            else:
                yield fatal(
                    "escrow",
                    f"{escrow} holds {amount} less than the ledger says",
                    "search its history for a payment that the ledger missed; until it is covered, "
                    "not all users can withdraw",
                )
        if not short:
            yield ok("escrow", "the accounts hold what the ledger says, or more")
        yield from self._surplus(chain)

    def _short(self, chain: OnChain) -> dict[Place, int]:
        """Units that each token's own escrow account lacks, by account and symbol."""
        assert self.ledger.state is not None
        short = {}
        for symbol, token in self.ledger.state.tokens.items():
            if self._is_known(symbol, chain):
                place = (token.escrow, symbol)
                missing = token.holdings - units_of(chain.amounts.get(place, "0"), token.precision)
                if missing > 0:
                    short[place] = missing
        return short

    def _surplus(self, chain: OnChain) -> Iterator[Finding]:
        """Funds that the ledger does not count: refunds due, unlisted tokens, other transfers."""
        state = self.ledger.state
        assert state is not None
        for (escrow, symbol), amount in sorted(chain.amounts.items()):
            token = state.tokens.get(symbol)
            if token is not None:
                counted = token.holdings if escrow == token.escrow else 0
                more = units_of(amount, token.precision) - counted
                amount = show_units(more, token.precision) if more > 0 else ""
            if amount:
                yield ok("surplus", f"{escrow} holds {amount} {symbol} that the ledger does not count")

    def _behind(self) -> int:
        """Blocks that the ledger is behind; 0 if it is about to catch up.

        Without an indexer it is not: even one that is a block behind lacks what was paid since.
        """
        state = self.ledger.state
        if state is None or state.header is None:
            return self.hive.irreversible
        behind = self.hive.irreversible - state.header.number
        return behind if behind > LIVE_BLOCKS or not self.ledger.is_followed else 0

    def _precision(self, symbol: str) -> int:
        assert self.ledger.state is not None
        return self.ledger.state.tokens[symbol].precision

    def _is_known(self, symbol: str, chain: OnChain) -> bool:
        assert self.ledger.state is not None
        token = self.ledger.state.tokens.get(symbol)
        return token is not None and (token.chain == HIVE or chain.knows_tokens)

    def _read(self, tokens: Sequence[Token]) -> OnChain:
        """Accounts and balances. Raises NodeError and BlockError."""
        return read_on_chain(self.hive, self.engine, tokens, [name for _, name in self._signers()])


def tokens_of(listed: Iterable[ListedToken | TokenRules]) -> list[Token]:
    """The tokens of a ledger or a venue file."""
    return [Token(t.symbol, t.precision, t.chain, t.escrow) for t in listed]


def read_on_chain(
    hive: HiveNode, engine: SidechainNode | None, tokens: Sequence[Token], others: Sequence[str]
) -> OnChain:
    """The tokens' escrow accounts and `others`, with their balances. Raises NodeError and BlockError."""
    chain = OnChain()
    names = _escrows(tokens)
    coins = read_coins(hive.client, list(dict.fromkeys([*names, *others])))
    chain.accounts |= coins.accounts
    chain.amounts |= {place: amount for place, amount in coins.amounts.items() if place[0] in names}
    if engine is not None:
        _read_tokens(names, tokens, engine, chain)
    return chain


def _read_tokens(
    names: Sequence[str], tokens: Sequence[Token], engine: SidechainNode, chain: OnChain
) -> None:
    chain.knows_tokens = True
    chain.amounts |= read_tokens(engine.client, names)
    symbols = [token.symbol for token in tokens if token.chain == HIVE_ENGINE]
    for row in engine.find("tokens", {"symbol": {"$in": symbols}}):
        precision = row.get("precision")
        if isinstance(precision, int):
            chain.precisions[text_of(row, "symbol")] = precision
    for row in engine.find("accountControls", {"account": {"$in": list(names)}}, "resourcemanager"):
        if row.get("isDenied") is True:
            chain.denied.add(text_of(row, "account"))
    for row in engine.find("params", {}):
        blacklist = row.get("blacklist")
        chain.blacklisted |= set(blacklist) if isinstance(blacklist, dict) else set()


def listed(tokens: Sequence[Token], chain: OnChain) -> Iterator[Finding]:
    """Whether each token exists on the sidechain, with the venue's precision."""
    if not chain.knows_tokens:
        return
    for token in tokens:
        if token.chain != HIVE_ENGINE:
            continue
        precision = chain.precisions.get(token.symbol)
        if precision is None:
            yield fatal("token", f"{token.symbol} does not exist on the sidechain", "fix the venue file")
        elif precision != token.precision:
            text = f"{token.symbol} has {precision} decimals on the sidechain, {token.precision} in the venue"
            cure = "fix the venue file: with fewer decimals deposits are refunded, with more payouts fail"
            yield (warn if precision > token.precision else fatal)("token", text, cure)


def restricted(tokens: Sequence[Token], chain: OnChain) -> Iterator[Finding]:
    """Whether the sidechain lets the escrow accounts send and receive its tokens."""
    if not chain.knows_tokens:
        return
    escrows = _escrows([token for token in tokens if token.chain == HIVE_ENGINE])
    for name in escrows:
        if name in chain.denied:
            yield fatal(
                "escrow",
                f"Hive-Engine has restricted {name} to one action a day: its tokens are not paid",
                "ask Hive-Engine to lift the restriction",
            )
        if name in chain.blacklisted:
            yield fatal(
                "escrow",
                f"{name} is on Hive-Engine's blacklist: deposits of tokens are refused",
                "ask Hive-Engine to remove it",
            )
    if not chain.denied & set(escrows) and not chain.blacklisted & set(escrows):
        yield ok("escrow", "Hive-Engine restricts none of the accounts")


def _debts(state: State) -> Iterator[Finding]:
    """Solvency by the ledger alone: an unmatched outflow leaves less than the liabilities."""
    is_short = False
    for token in state.tokens.values():
        held, owed = token.holdings, token.liabilities_units
        if held < owed:
            is_short = True
            amounts = [show_units(units, token.precision) for units in (owed - held, held, owed)]
            yield fatal(
                "solvency",
                f"{token.symbol} is short of {amounts[0]}: {amounts[1]} held, {amounts[2]} owed",
                "find the unmatched outflow (`peakedex journal`) and who signed it; until it is covered, "
                "not all users can withdraw",
            )
    if not is_short:
        yield ok("solvency", "holdings of each token cover its liabilities")


def _escrows(tokens: Sequence[Token]) -> list[str]:
    return list(dict.fromkeys(token.escrow for token in tokens))
