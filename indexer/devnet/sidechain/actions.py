"""Sidechain actions in a Hive block, extracted by the rules of the public node's streamer."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from math import isfinite
from typing import Final

import msgspec

from indexer.devnet.hive.account_update import AccountUpdate
from indexer.devnet.hive.blocks import Block
from indexer.devnet.hive.operations import CustomJson, PowerUp, Transfer

SIDECHAIN_ID: Final = "ssc-mainnet-hive"
_MAX_PLAIN: Final = 1e21  # JavaScript writes larger numbers with an exponent
_RESERVED: Final = ("callingContractInfo", "recipient", "amountHIVEHBD", "isSignedWithActiveKey")
"""Members of a payload that only the sidechain sets."""

Row = dict[str, object]


@dataclass(frozen=True, slots=True)
class Action:
    """One element of a custom_json or memo that the sidechain executes."""

    id: str
    sender: str
    contract: str
    name: str
    payload: object  # the contract's input
    payload_text: str  # its JSON text in the receipt


def dump_json(value: object) -> str:
    """Compact JSON text without escaping non-ASCII; lone surrogates are escaped, as in JavaScript."""
    try:
        return msgspec.json.encode(value).decode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":"))


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def _script_number(text: str) -> int | float | None:
    """A JSON number as a JavaScript number; infinity becomes null, as JavaScript serializes it."""
    number = float(text)
    if not isfinite(number):
        return None
    if number.is_integer() and abs(number) < _MAX_PLAIN:
        return int(Decimal(repr(number)))  # the shortest digits, then zeros
    return number


def _load_json(text: str) -> object:
    """Parse JSON as JavaScript does. Raises ValueError, also for too deep nesting."""
    try:
        return json.loads(
            text, parse_constant=_no_constant, parse_int=_script_number, parse_float=_script_number
        )
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def actions_of(block: Block, chain_id: str) -> list[Action]:
    """All actions in a Hive block, in order."""
    found: list[Action] = []
    for transaction in block.transactions:
        many = len(transaction.operations) > 1
        for index, operation in enumerate(transaction.operations):
            if isinstance(operation, PowerUp | AccountUpdate) or (
                isinstance(operation, Transfer) and "{" not in operation.memo
            ):
                continue
            base = f"{transaction.id}-{index}" if many else transaction.id
            found.extend(_actions_in(operation, base, chain_id))
    return found


def _actions_in(operation: CustomJson | Transfer, base: str, chain_id: str) -> Iterable[Action]:
    try:
        if isinstance(operation, CustomJson):
            if operation.id != chain_id:
                return
            active = bool(operation.required_auths)
            sender = (operation.required_auths or operation.required_posting_auths)[0]
            content = _load_json(operation.json)
            elements = content if isinstance(content, list) else [content]
            extra: Row = {"isSignedWithActiveKey": active}
        else:
            memo = _load_json(operation.memo)
            if not isinstance(memo, dict) or memo.get("id") != chain_id:
                return
            sender, content = operation.sender, memo.get("json")
            # The streamer ignores a memo with several actions.
            elements = content if isinstance(content, list) else [content]
            elements = elements if len(elements) == 1 else []
            amount = operation.amount.text()
            extra = {"recipient": operation.recipient, "amountHIVEHBD": amount, "isSignedWithActiveKey": True}
    except ValueError:
        return
    for index, element in enumerate(elements):
        if element is None:
            return  # the published streamer fails at it, and drops the actions after it
        action = _action(element, f"{base}-{index}" if len(elements) > 1 else base, sender, extra)
        if action is not None:
            yield action


def _action(element: object, ident: str, sender: str, extra: Row) -> Action | None:
    if not isinstance(element, dict):
        return None
    contract, name, payload = (
        element.get(key) for key in ("contractName", "contractAction", "contractPayload")
    )
    if not (isinstance(contract, str) and isinstance(name, str) and contract and name):
        return None
    if isinstance(payload, dict):
        payload = {key: value for key, value in payload.items() if key not in _RESERVED} | extra
    elif not isinstance(payload, list):
        return None
    try:
        text = dump_json(payload)
    except (RecursionError, ValueError):
        return None
    return Action(ident, sender, _replace_surrogates(contract), _replace_surrogates(name), payload, text)


def _replace_surrogates(text: str) -> str:
    """Replace lone surrogates, which the public node's database cannot store."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
