"""Control calls under `/dev`: operations without signatures, faucet, keys, faults, block production."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict

from indexer.devnet.faults import Faults
from indexer.devnet.hive.accounts import Account
from indexer.devnet.hive.authority import ROLES, Authority, Role
from indexer.devnet.hive.errors import ChainError
from indexer.devnet.node import DevNode
from indexer.devnet.traders.practice_accounts import practice_account

Body = Mapping[str, object]
DevMethod = Callable[[Body], object]


class DevMethods:
    """Control calls by name. Each takes a JSON object and returns a JSON value.

    docs/devnet.md describes them. ChainError and ValueError become HTTP 400.
    """

    def __init__(self, node: DevNode, faults: Faults) -> None:
        self._node = node
        self._faults = faults
        self._methods: dict[str, DevMethod] = {
            "broadcast": self._broadcast,
            "faucet": self._faucet,
            "keys": self._keys,
            "balances": lambda body: self._balances(_text(body, "account")),
            "practice": self._practice,
            "faults": self.faults,
            "chain": self._chain,
            "limits": self._limits,
            "fork": self._fork,
            "produce": self._produce,
            "status": lambda _: self.status(),
        }

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all calls."""
        return tuple(self._methods)

    def method(self, name: str) -> DevMethod | None:
        """The call of this name, or None."""
        return self._methods.get(name)

    def status(self) -> dict[str, object]:
        """Head, irreversible block and settings of the chain and the sidechain."""
        chain, sidechain = self._node.chain, self._node.sidechain
        return {
            "devnet": True,
            "chain_id": chain.chain_id.hex(),
            "head": chain.head,
            "head_id": chain.head_id.hex(),
            "irreversible": chain.irreversible,
            "lag": chain.lag,
            "stalled": chain.stalled,
            "pending": chain.pending_count,
            "accounts": len(chain.accounts),
            "behind": self._node.behind,
            "buffer": self._node.buffer,
            "sidechain_block": sidechain.block_number,
            "sidechain_hive_block": sidechain.last_hive_block,
        }

    def faults(self, body: Body) -> dict[str, object]:
        """Change the given faults, and return all of them."""
        self._faults.set(body)
        return asdict(self._faults)

    def _broadcast(self, body: Body) -> dict[str, str]:
        operations = body.get("operations")
        if not isinstance(operations, list):
            raise ChainError("operations must be a list")
        return {"transaction_id": self._node.broadcast(operations)}

    def _faucet(self, body: Body) -> dict[str, str]:
        account, symbol, quantity = _text(body, "account"), body.get("symbol"), body.get("quantity")
        if (symbol is None) != (quantity is None):
            raise ChainError("symbol and quantity must be given together")
        self._node.faucet(
            account,
            None if symbol is None else _text(body, "symbol"),
            None if quantity is None else _text(body, "quantity"),
            _authorities(body.get("authorities")),
        )
        return self._balances(account)

    def _balances(self, account: str) -> dict[str, str]:
        found = self._account(account)
        held = {symbol: f"{mils // 1000}.{mils % 1000:03d}" for symbol, mils in found.balances.items()}
        for token in self._node.sidechain.tokens.values():
            if account in token.balances:
                held |= {token.symbol: token.text(token.balances[account])}
        return held

    def _keys(self, body: Body) -> dict[str, dict[str, str]]:
        account, accounts = _text(body, "account"), self._node.chain.accounts
        self._account(account)
        keys: dict[str, dict[str, str]] = {}
        for role in (*ROLES, "memo"):
            key = accounts.private_key(account, role)
            keys[role] = {"wif": key.wif, "public_key": key.public_key}
        return keys

    def _practice(self, body: Body) -> dict[str, object]:
        name = None if body.get("account") is None else _text(body, "account")
        return practice_account(self._node, self._node.venue, name)

    def _chain(self, body: Body) -> dict[str, object]:
        if "lag" in body:
            self._node.chain.lag = _count(body, "lag")
        if "behind" in body:
            self._node.behind = _count(body, "behind")
        if "buffer" in body:
            self._node.buffer = _count(body, "buffer")
        if "skip_slots" in body:
            self._node.skip_slots = _count(body, "skip_slots")
        if "stalled" in body:
            self._node.chain.stalled = body["stalled"] is True
        self._node.advance()
        return self.status()

    def _fork(self, body: Body) -> dict[str, object]:
        self._node.fork(
            _count(body, "depth"),
            forget=body.get("forget") is True,
            sidechain=body.get("sidechain") is True,
        )
        return self.status()

    def _limits(self, body: Body) -> dict[str, object]:
        if "without_rc" in body:
            self._node.chain.without_rc = frozenset(_names(body, "without_rc"))
        for sidechain in filter(None, (self._node.sidechain, self._node.forked)):
            if "blacklist" in body:
                sidechain.blacklist = _names(body, "blacklist")
            if "denied" in body:
                sidechain.denied = frozenset(_names(body, "denied"))
        sidechain = self._node.sidechain
        return {
            "blacklist": list(sidechain.blacklist),
            "denied": sorted(sidechain.denied),
            "without_rc": sorted(self._node.chain.without_rc),
        }

    def _account(self, name: str) -> Account:
        if name not in self._node.chain.accounts:
            raise ChainError(f"unknown account: {name}")
        return self._node.chain.accounts.get(name)

    def _produce(self, body: Body) -> dict[str, object]:
        for _ in range(min(_count(body, "count", 1), 1000)):
            self._node.tick()
        return self.status()


def _text(body: Body, name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str):
        raise ChainError(f"{name} must be a string")
    return value


def _names(body: Body, name: str) -> tuple[str, ...]:
    value = body.get(name)
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ChainError(f"{name} must be a list of account names")
    return tuple(value)


def _count(body: Body, name: str, default: int | None = None) -> int:
    value = body.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ChainError(f"{name} must be an integer of at least 0")
    return value


def _authorities(raw: object) -> dict[Role, Authority]:
    """`{role: "STM…"}` or `{role: {weight_threshold, key_auths, account_auths}}`. Raises ChainError."""
    if raw is None:
        return {}
    if not isinstance(raw, dict) or not set(raw) <= set(ROLES):
        raise ChainError(f"authorities must be an object with the keys {', '.join(ROLES)}")
    return {role: _authority(raw[role]) for role in ROLES if role in raw}


def _authority(raw: object) -> Authority:
    if isinstance(raw, str):
        return Authority.of_key(raw)
    if not isinstance(raw, dict):
        raise ChainError("an authority must be a public key or an object")
    try:
        keys, accounts = (
            tuple((str(name), int(weight)) for name, weight in raw.get(part, ()))
            for part in ("key_auths", "account_auths")
        )
        return Authority(int(raw.get("weight_threshold", 1)), keys, accounts)
    except (TypeError, ValueError) as error:
        raise ChainError(f"invalid authority: {error}") from error
