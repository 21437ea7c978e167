"""The Hive operations transfer, transfer_to_vesting, custom_json and account_update, in both JSON shapes.

Amounts of native coins are integers of thousandths ("mils"). The block_api shape is
`{"amount": "1234", "precision": 3, "nai": "@@000000021"}`, the condenser_api shape `"1.234 HIVE"`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from indexer.devnet.hive.account_update import AccountUpdate, parse_account_update
from settlement.core.parsing.names import is_account
from settlement.net.hive_formats import COIN_BY_NAI, COIN_BY_SYMBOL

COINS: Final = tuple(COIN_BY_SYMBOL)
_COIN_TEXT: Final = re.compile(r"(-?)(0|[1-9][0-9]{0,15})\.([0-9]{3}) (HIVE|HBD)", re.ASCII)
_MILS_TEXT: Final = re.compile(r"-?[0-9]{1,19}", re.ASCII)

MAX_MEMO_BYTES: Final = 2047
MAX_JSON_BYTES: Final = 8192
MAX_ID_BYTES: Final = 32
MAX_NAME_BYTES: Final = 16
MIN_NAME_BYTES: Final = 3
MAX_MILS: Final = 2**63 - 1


class OperationError(ValueError):
    """An operation that a Hive node rejects; the text is the node's error message."""


class Coin(NamedTuple):
    """An amount of a native coin: `mils` are thousandths, `symbol` is HIVE or HBD."""

    mils: int
    symbol: str

    def text(self) -> str:
        """The condenser_api text, such as `"1.234 HIVE"`."""
        sign, mils = "-" if self.mils < 0 else "", abs(self.mils)
        return f"{sign}{mils // 1000}.{mils % 1000:03d} {self.symbol}"

    def nai(self) -> dict[str, object]:
        """The block_api object."""
        return {"amount": str(self.mils), "precision": 3, "nai": COIN_BY_SYMBOL[self.symbol].nai}


class Transfer(NamedTuple):
    """A `transfer` operation of a native coin."""

    sender: str
    recipient: str
    amount: Coin
    memo: str


class CustomJson(NamedTuple):
    """A `custom_json` operation; both lists of accounts are sorted, as on the chain."""

    required_auths: tuple[str, ...]
    required_posting_auths: tuple[str, ...]
    id: str
    json: str


class PowerUp(NamedTuple):
    """A `transfer_to_vesting` operation: HIVE leaves the sender and becomes stake, which is not modelled."""

    sender: str
    recipient: str
    amount: Coin


Operation = Transfer | PowerUp | CustomJson | AccountUpdate


def parse_coin(raw: object) -> Coin:
    """Parse an amount of either shape. Raises OperationError."""
    if isinstance(raw, str):
        match = _COIN_TEXT.fullmatch(raw)
        if match is None:
            raise OperationError(f"Assert Exception:equal: Invalid asset: {raw[:64]}")
        mils = int(match[2]) * 1000 + int(match[3])
        return Coin(-mils if match[1] else mils, match[4])
    if isinstance(raw, Mapping):
        coin = COIN_BY_NAI.get(str(raw.get("nai")))
        amount = str(raw.get("amount"))
        if coin is not None and raw.get("precision") == coin.precision and _MILS_TEXT.fullmatch(amount):
            return Coin(int(amount), coin.symbol)
    raise OperationError("Assert Exception:equal: Invalid asset")


def parse_operation(raw: object) -> Operation:
    """Parse an operation of either shape and validate it as a node does. Raises OperationError."""
    name: object
    value: object
    if isinstance(raw, Mapping):
        name, value = raw.get("type"), raw.get("value")
    elif isinstance(raw, list | tuple) and len(raw) == 2:
        name, value = raw
    else:
        raise OperationError("Bad Cast:Invalid cast from type 'null_type' to Object")
    if not isinstance(name, str) or not isinstance(value, Mapping):
        raise OperationError("Bad Cast:Invalid cast from type to Object")
    match name.removesuffix("_operation"):
        case "transfer":
            operation: Operation = _parse_transfer(value)
        case "transfer_to_vesting":
            sender, recipient, amount, _ = _parse_transfer(value)
            operation = PowerUp(sender, recipient, amount)
        case "custom_json":
            operation = _parse_custom_json(value)
        case "account_update":
            try:
                operation = parse_account_update(value)
            except ValueError as error:
                raise OperationError(f"Assert Exception:{error}") from error
        case other:
            raise OperationError(f"Assert Exception:the devnet does not support the operation {other[:64]}")
    check_operation(operation)
    return operation


def _parse_transfer(value: Mapping[str, object]) -> Transfer:
    sender, recipient, memo = value.get("from"), value.get("to"), value.get("memo", "")
    if not (isinstance(sender, str) and isinstance(recipient, str) and isinstance(memo, str)):
        raise OperationError("Bad Cast:Invalid cast from type to string")
    return Transfer(sender, recipient, parse_coin(value.get("amount")), memo)


def _parse_custom_json(value: Mapping[str, object]) -> CustomJson:
    ident, json_text = value.get("id"), value.get("json")
    if not (isinstance(ident, str) and isinstance(json_text, str)):
        raise OperationError("Bad Cast:Invalid cast from type to string")
    return CustomJson(
        _parse_accounts(value.get("required_auths")),
        _parse_accounts(value.get("required_posting_auths")),
        ident,
        json_text,
    )


def _parse_accounts(raw: object) -> tuple[str, ...]:
    if raw is None:
        return ()
    if not isinstance(raw, list | tuple):
        raise OperationError("Bad Cast:Invalid cast from type to Array")
    names = [name for name in raw if isinstance(name, str)]
    if len(names) != len(raw):
        raise OperationError("Bad Cast:Invalid cast from type to string")
    # A flat_set on the chain: sorted and without duplicates, whatever the client sent.
    return tuple(sorted(set(names)))


def _bytes(text: str, what: str) -> int:
    try:
        return len(text.encode())
    except UnicodeEncodeError as error:
        raise OperationError(f"Assert Exception:fc::is_utf8( {what} ): {what} is not UTF8") from error


def name_error(name: str) -> str:
    """hived's text for an invalid account name."""
    if len(name.encode("utf-8", "surrogatepass")) > MAX_NAME_BYTES:
        size = len(name.encode("utf-8", "surrogatepass"))
        return (
            f"Assert Exception:in_len <= sizeof(data): Input too large: `{name}` ({size}) "
            f"for fixed size string: ({MAX_NAME_BYTES})"
        )
    if len(name) < MIN_NAME_BYTES:
        return (
            "Assert Exception:validity_check_result != account_name_validity::too_short: "
            f"Account name '{name}' is too short. Use at least {MIN_NAME_BYTES} characters."
        )
    return (
        "Assert Exception:validity_check_result != account_name_validity::invalid_sequence: "
        f"Account name '{name}' is not valid. Please follow the RFC 1035 rules."
    )


def check_operation(operation: Operation) -> None:
    """Validate an operation without state. Raises OperationError."""
    if isinstance(operation, AccountUpdate):
        for name in (operation.account, *sorted(operation.members)):
            if not is_account(name):
                raise OperationError(name_error(name))
        return
    if isinstance(operation, PowerUp):
        check_operation(Transfer(*operation, memo=""))
        if operation.amount.symbol != "HIVE":
            raise OperationError("Assert Exception:is_asset_type( amount, HIVE_SYMBOL ): Amount must be HIVE")
        return
    if isinstance(operation, Transfer):
        for name in (operation.sender, operation.recipient):
            if not is_account(name):
                raise OperationError(name_error(name))
        if not 0 < operation.amount.mils <= MAX_MILS:
            raise OperationError(
                'Assert Exception:amount.amount > 0 && "Cannot transfer a negative amount (aka: stealing)": '
            )
        if _bytes(operation.memo, "memo") > MAX_MEMO_BYTES:
            raise OperationError(
                'Assert Exception:memo.size() < HIVE_MAX_MEMO_SIZE && "Transfer memo is too large": '
            )
        return
    auths = operation.required_auths + operation.required_posting_auths
    if not auths:
        raise OperationError(
            "Assert Exception:(required_auths.size() + required_posting_auths.size()) > 0: "
            "at least one account must be specified"
        )
    for name in auths:
        if not is_account(name):
            raise OperationError(name_error(name))
    id_bytes = _bytes(operation.id, "id")
    if id_bytes > MAX_ID_BYTES:
        raise OperationError(
            f"Assert Exception:in_len <= sizeof(data): Input too large: `{operation.id}` ({id_bytes}) "
            f"for fixed size string: ({MAX_ID_BYTES})"
        )
    if _bytes(operation.json, "json") > MAX_JSON_BYTES:
        raise OperationError(
            "Assert Exception:o.json.length() <= HIVE_CUSTOM_OP_DATA_MAX_LENGTH: "
            "Operation JSON must be less than 8192 bytes."
        )


def block_api_operation(operation: Operation) -> dict[str, object]:
    """The operation as `block_api` writes it."""
    if isinstance(operation, Transfer):
        return {
            "type": "transfer_operation",
            "value": {
                "from": operation.sender,
                "to": operation.recipient,
                "amount": operation.amount.nai(),
                "memo": operation.memo,
            },
        }
    if isinstance(operation, PowerUp):
        parties = {"from": operation.sender, "to": operation.recipient}
        return {
            "type": "transfer_to_vesting_operation",
            "value": {**parties, "amount": operation.amount.nai()},
        }
    if isinstance(operation, AccountUpdate):
        return {"type": "account_update_operation", "value": operation.to_json()}
    return {"type": "custom_json_operation", "value": _custom_json_value(operation)}


def condenser_operation(operation: Operation) -> list[object]:
    """The operation as `condenser_api` writes it."""
    if isinstance(operation, Transfer):
        value: dict[str, object] = {
            "from": operation.sender,
            "to": operation.recipient,
            "amount": operation.amount.text(),
            "memo": operation.memo,
        }
        return ["transfer", value]
    if isinstance(operation, PowerUp):
        parties = {"from": operation.sender, "to": operation.recipient}
        return ["transfer_to_vesting", {**parties, "amount": operation.amount.text()}]
    if isinstance(operation, AccountUpdate):
        return ["account_update", operation.to_json()]
    return ["custom_json", _custom_json_value(operation)]


def _custom_json_value(operation: CustomJson) -> dict[str, object]:
    return {
        "required_auths": list(operation.required_auths),
        "required_posting_auths": list(operation.required_posting_auths),
        "id": operation.id,
        "json": operation.json,
    }
