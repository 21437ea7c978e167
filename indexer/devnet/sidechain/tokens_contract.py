"""The sidechain's contract `tokens`: balances, transfers, stakes and transfers to contracts.

Checks and errors are those of the published contract, in its order.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from indexer.devnet.sidechain.actions import Row, dump_json
from indexer.devnet.sidechain.quantity import Quantity, parse_quantity, units_text
from settlement.core.parsing.names import is_account

TOKENS: Final = "tokens"
MAX_PRECISION: Final = 8
_CONTRACT_NAME_LENGTHS: Final = range(3, 51)
BLACKLIST: Final = (
    *("gateiodeposit", "deepcrypto8", "bittrex", "poloniex", "huobi-pro", "binance-hot", "bitvavo"),
    *("blocktrades", "probitsteem", "probithive", "ionomy", "mxchive", "coinbasebase", "orinoco"),
    "user.dunamu",
)
"""Recipients that the published contract refuses, as recorded in 2026."""
# The contract looks the recipient up in a plain JavaScript object, which has this member.
_ALWAYS_BLACKLISTED: Final = "constructor"
_SCRIPT_SPACE: Final = "\t\n\v\f\r \u00a0\u1680\u2028\u2029\u202f\u205f\u3000\ufeff" + "".join(
    map(chr, range(0x2000, 0x200B))
)
"""What JavaScript's `trim` removes."""
ERROR_ACTIVE_KEY: Final = "you must use a custom_json signed with your active key"


@dataclass(slots=True)
class Token:
    """A token. Balances and supply are integers of `10^-precision`."""

    symbol: str
    precision: int
    issuer: str
    supply: int = 0
    balances: dict[str, int] = field(default_factory=dict)
    written: dict[str, str] = field(default_factory=dict)  # first balances, stored as the sender wrote them

    def text(self, units: int) -> str:
        """Units as decimal text with the token's precision."""
        return units_text(units, self.precision)

    def balance_text(self, account: str) -> str:
        """An account's balance as the node stores it."""
        return self.written.get(account) or self.text(self.balances[account])

    def credit(self, account: str, units: int, written: str) -> None:
        """Add to a balance; the first one is stored as it was written."""
        if account in self.balances:
            self.written.pop(account, None)
        else:
            self.written[account] = written
        self.balances[account] = self.balances.get(account, 0) + units

    def debit(self, account: str, units: int) -> None:
        """Subtract from a balance."""
        self.written.pop(account, None)
        self.balances[account] -= units


@dataclass(slots=True)
class Logs:
    """Logs of an action: its events and errors."""

    events: list[Row] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def emit(self, contract: str, event: str, data: Row) -> None:
        """Add an event."""
        self.events.append({"contract": contract, "event": event, "data": data})

    def require(self, condition: object, error: str) -> bool:
        """Add the error unless the condition holds; return whether it holds."""
        if not condition:
            self.errors.append(error)
        return bool(condition)

    def text(self) -> str:
        """The JSON text of a receipt, without empty parts."""
        parts: Row = {}
        if self.errors:
            parts["errors"] = self.errors
        if self.events:
            parts["events"] = self.events
        return dump_json(parts)


class TokensContract:
    """State and actions of the contract. `blacklist` is its `params.blacklist`."""

    def __init__(self) -> None:
        self.tokens: dict[str, Token] = {}
        self.blacklist: tuple[str, ...] = BLACKLIST

    def run_tokens(self, name: str, sender: str, payload: dict[str, object], logs: Logs) -> None:
        """Run an action of this contract that a user sent."""
        match name:
            case "transfer":
                self.transfer(sender, payload, logs)
            case "transferToContract":
                self._transfer_to_contract(sender, payload, logs)
            case "stake":
                self._stake(sender, payload, logs)
            case _:
                logs.errors.append("unknown error")

    def transfer(self, sender: str, payload: dict[str, object], logs: Logs) -> None:
        """`transfer {to, symbol, quantity}`."""
        read = self._read(payload, logs)
        if read is None:
            return
        to, symbol, quantity, value = read
        if not (
            logs.require(to != sender, "cannot transfer to self")
            and logs.require(is_account(to), "invalid to")
            and logs.require(
                to not in self.blacklist and to != _ALWAYS_BLACKLISTED, f"not allowed to send to {to}"
            )
            and self._take(sender, symbol, value, logs, verb="transfer")
        ):
            return
        token = self.tokens[symbol]
        token.credit(to, value.units(token.precision), quantity)
        logs.emit(TOKENS, "transfer", {"from": sender, "to": to, "symbol": symbol, "quantity": quantity})

    def _transfer_to_contract(self, sender: str, payload: dict[str, object], logs: Logs) -> None:
        """`transferToContract {to, symbol, quantity}`: balances of contracts are not kept here."""
        read = self._read(payload, logs)
        if read is None:
            return
        to, symbol, quantity, value = read
        if (
            logs.require(to != sender, "cannot transfer to self")
            and logs.require(len(to) in _CONTRACT_NAME_LENGTHS, "invalid to")
            and self._take(sender, symbol, value, logs, verb="transfer")
        ):
            data: Row = {"from": sender, "to": to, "symbol": symbol, "quantity": quantity}
            logs.emit(TOKENS, "transferToContract", data)

    def _stake(self, sender: str, payload: dict[str, object], logs: Logs) -> None:
        """`stake {to, symbol, quantity}`; the signer stakes to itself where there is no `to`."""
        read = self._read(payload if payload.get("to") is not None else payload | {"to": sender}, logs)
        if read is None:
            return
        to, symbol, quantity, value = read
        if logs.require(is_account(to), "invalid to") and self._take(
            sender, symbol, value, logs, verb="stake"
        ):
            logs.emit(TOKENS, "stake", {"account": to, "symbol": symbol, "quantity": quantity})

    def _read(self, payload: dict[str, object], logs: Logs) -> tuple[str, str, str, Quantity] | None:
        """Trimmed recipient, symbol, and the quantity as text and by value; None with an error."""
        to, symbol, quantity = payload.get("to"), payload.get("symbol"), payload.get("quantity")
        if not logs.require(payload.get("isSignedWithActiveKey") is True, ERROR_ACTIVE_KEY):
            return None
        if not (
            isinstance(to, str) and isinstance(symbol, str) and isinstance(quantity, str) and to and symbol
        ):
            logs.errors.append("invalid params")
            return None
        value = parse_quantity(quantity)
        if value is None:
            logs.errors.append("invalid params")
            return None
        return to.strip(_SCRIPT_SPACE), symbol, quantity, value

    def _take(self, sender: str, symbol: str, value: Quantity, logs: Logs, *, verb: str) -> bool:
        """Debit the sender, where it can pay; whether it did."""
        token = self.tokens.get(symbol)
        if token is None:
            return logs.require(False, "symbol does not exist")
        if not (
            logs.require(value.decimals <= token.precision, "symbol precision mismatch")
            and logs.require(value.digits > 0, f"must {verb} positive quantity")
            and logs.require(sender in token.balances, "balance does not exist")
            and logs.require(
                not value.infinite and value.units(token.precision) <= token.balances[sender],
                "overdrawn balance",
            )
        ):
            return False
        token.debit(sender, value.units(token.precision))
        return True

    def balance_rows(self) -> Iterable[Row]:
        """Rows of the table `tokens.balances`."""
        held = [(token, account) for token in self.tokens.values() for account in token.balances]
        for number, (token, account) in enumerate(held, 1):
            yield {
                "account": account,
                "symbol": token.symbol,
                "balance": token.balance_text(account),
                "stake": "0",
                "pendingUnstake": "0",
                "delegationsIn": "0",
                "delegationsOut": "0",
                "pendingUndelegations": "0",
                "_id": number,
            }
