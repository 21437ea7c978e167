"""Wrong types: each field of each action with each odd value gets the right code."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

import pytest

from indexer.chain.strict_json import loads
from tests.property.hostile.conftest import Indexer
from tests.scenarios.chain import SHAPES, Block, custom_json, transaction_id
from tests.scenarios.scenario import START

HASH: Final = "0" * 64
_MISSING: Final = "missing"
ODD_VALUES: Final = (
    *("null", "true", "false", "1", "1.5", "-1", "-0", "0", "1e3", "1E999999999", "1e-999999999"),
    *("9" * 5000, "0." + "0" * 5000 + "1", '""', "[]", "{}", '[["GTC"]]', '{"a":{}}', '["1"]'),
    *('"1 "', '"+1"', '"NaN"', '"Infinity"', '"１"', '"\\u0661"', '"\\u0000"', '"\\ud800"', '"a\\udfffb"'),
    *(
        '"' + "x" * 5000 + '"',
        '"' + "9" * 5000 + '"',
        "[" * 1500 + "]" * 1500,
        '{"a":' * 1000 + "1" + "}" * 1000,
    ),
    *('"None"', '"true"', '"0x1"', '"%00"', '"\'; DROP TABLE orders; --"', '"\\ud83d\\ude00"'),
)
"""JSON texts. `_takes` says which fields accept which."""

# Kinds of fields, and which odd values each accepts; strings are compared as decoded text.
KINDS: Final[dict[str, Callable[[str | None, str], bool]]] = {
    "decimal": lambda value, text: text in ("1", "1.5"),
    "integer": lambda value, text: text == "1",
    "natural": lambda value, text: text in ("0", "1"),
    "symbol": lambda value, text: False,
    "name": lambda value, text: value == "true",  # a valid account name
    "word": lambda value, text: False,
    "flag": lambda value, text: text in ("true", "false"),
    "id": lambda value, text: value is not None,
    "ref": lambda value, text: value in ("NaN", "Infinity", "None", "true", "0x1"),
    "memo": lambda value, text: value is not None and _is_memo(value),
    "lots": lambda value, text: text in ("0", "1", "-1"),
    "any": lambda value, text: True,
}
# A valid payload for each action, with the kind of each field.
LIMIT: Final = {
    "symbol": ("TKN", "symbol"),
    "quote": ("SWAP.HIVE", "symbol"),
    "quantity": ("1", "decimal"),
    "price": ("1", "decimal"),
    "expiration": (60, "integer"),
    "timeInForce": ("GTC", "word"),
    "postOnly": (False, "flag"),
    "settle": ("venue", "word"),
}
MARKET: Final = {key: LIMIT[key] for key in ("symbol", "quote", "quantity", "price", "settle")}
ACTIONS: Final[dict[str, dict[str, tuple[Any, str]]]] = {
    "buy": LIMIT,
    "sell": LIMIT,
    "marketBuy": MARKET,
    "marketSell": MARKET,
    "cancel": {"id": ("x", "id"), "type": ("buy", "any")},
    "cancelAll": {"symbol": ("TKN", "symbol"), "quote": ("SWAP.HIVE", "symbol")},
    "replace": {"id": ("x", "id"), "quantity": ("1", "decimal"), "price": ("1", "decimal")},
    "withdraw": {
        "symbol": ("TKN", "symbol"),
        "quantity": ("1", "decimal"),
        "to": ("bob", "name"),
        "memo": ("m", "memo"),
    },
    "listToken": {
        "symbol": ("TKN", "symbol"),
        "precision": (2, "natural"),
        "chain": ("hive-engine", "word"),
        "escrow": ("dex.tokens", "name"),
    },
    "listPair": {
        "symbol": ("TKN", "symbol"),
        "quote": ("SWAP.HIVE", "symbol"),
        "priceDecimals": (1, "natural"),
        "quantityDecimals": (1, "lots"),
        "makerFeeBps": (1, "natural"),
        "takerFeeBps": (1, "natural"),
        "pricePolicy": ("maker", "word"),
        "selfTrade": ("allow", "word"),
    },
    "updatePair": {
        "symbol": ("TKN", "symbol"),
        "quote": ("SWAP.HIVE", "symbol"),
        "makerFeeBps": (1, "natural"),
        "takerFeeBps": (1, "natural"),
        "pricePolicy": ("maker", "word"),
        "selfTrade": ("allow", "word"),
        "status": ("active", "word"),
    },
    "updateVenue": {"maxOpenOrders": (5, "integer"), "feeAccount": ("dex.fees", "name")},
    "checkpoint": {"block": (1, "natural"), "stateHash": (HASH, "word"), "journalHash": (HASH, "word")},
    "returnWithdrawal": {"id": ("x", "id")},
}
REQUIRED: Final = {
    "buy": "symbol quantity price",
    "sell": "symbol quantity price",
    "marketBuy": "symbol quantity",
    "marketSell": "symbol quantity",
    "cancel": "id",
    "replace": "id",
    "withdraw": "symbol quantity",
    "listToken": "symbol precision chain escrow",
    "listPair": "symbol quote priceDecimals quantityDecimals",
    "updatePair": "symbol quote",
    "checkpoint": "block stateHash journalHash",
    "returnWithdrawal": "id",
}


def _string_of(text: str) -> str | None:
    """The string that a JSON text encodes; None for anything else."""
    value = loads(text)
    return value if type(value) is str else None


def _is_memo(text: str) -> bool:
    return 0 < len(text) <= 256 and text.isprintable()


def _payload(fields: dict[str, tuple[Any, str]], key: str, text: str) -> str:
    """The valid payload as JSON text, with the value of one key replaced or removed."""
    texts = {name: json.dumps(value) for name, (value, _) in fields.items()}
    texts[key] = text
    return "{" + ",".join(f"{json.dumps(k)}:{v}" for k, v in texts.items() if v != _MISSING) + "}"


def _cases(action: str) -> list[tuple[str, str, bool]]:
    """(key, payload text, whether it is valid) for each field with each odd value, and for each missing field."""
    fields = {**ACTIONS[action], "ref": ("r", "ref")}
    cases = []
    for key, (_, kind) in fields.items():
        for text in ODD_VALUES:
            value = _string_of(text)
            cases.append((key, _payload(fields, key, text), KINDS[kind](value, text)))
        is_optional = key not in REQUIRED.get(action, "").split()
        cases.append((key, _payload(fields, key, _MISSING), is_optional))
    return cases


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("action", list(ACTIONS))
def test_each_field_rejects_other_values(action: str, shape: str, indexer: Indexer) -> None:
    cases = _cases(action)
    block = Block(1, START)
    for count, (_, payload, _) in enumerate(cases, 1):
        text = f'{{"contractName":"peakedex","contractAction":"{action}","contractPayload":{payload}}}'
        block.transactions.append(
            (transaction_id(count), [custom_json(text, ["operator"], [], "ssc-mainnet-hive")])
        )
    lines = indexer.record([block], shape)
    codes = {line.split()[1]: line.split()[-1] for line in lines if line.startswith("reject ")}
    for count, (key, payload, is_well_formed) in enumerate(cases, 1):
        is_refused = codes.get(transaction_id(count)) == "E_INPUT"
        assert is_refused != is_well_formed, f"{action}.{key}: {payload[:300]}"
    assert len(indexer.loaded().state.tokens) == len(indexer.venue.tokens)


@pytest.mark.parametrize("text", ODD_VALUES)
def test_the_payload_itself_may_be_anything(text: str, indexer: Indexer) -> None:
    block = Block(1, START)
    for count, action in enumerate(ACTIONS, 1):
        body = f'{{"contractName":"peakedex","contractAction":"{action}","contractPayload":{text}}}'
        block.transactions.append(
            (transaction_id(count), [custom_json(body, ["operator"], [], "ssc-mainnet-hive")])
        )
    lines = indexer.record([block])
    is_object = text.startswith("{")
    accepted = {"cancelAll", "updateVenue"} if is_object else set()
    rejected = {line.split()[3] for line in lines if line.endswith(" E_INPUT")}
    assert rejected == ACTIONS.keys() - accepted


@pytest.mark.parametrize("text", ODD_VALUES)
def test_the_action_itself_may_be_anything(text: str, indexer: Indexer) -> None:
    body = f'{{"contractName":"peakedex","contractAction":{text},"contractPayload":{{}}}}'
    block = Block(1, START, [(transaction_id(1), [custom_json(body, ["alice"], [], "ssc-mainnet-hive")])])
    value = _string_of(text)
    is_word = value is not None and value.isascii() and value.isalpha() and len(value) <= 32
    assert indexer.record([block]) == [
        f"reject {transaction_id(1)} alice {value if is_word else '-'} E_INPUT"
    ]
