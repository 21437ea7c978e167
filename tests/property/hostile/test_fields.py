"""Wrong types: each field of each action with each odd value gets the right code."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

import pytest

from indexer.chain.strict_json import loads
from indexer.intents.actions import ACTIONS as ALL_ACTIONS
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
    "zero": lambda value, text: text == "0",  # or an integer far above
    "name": lambda value, text: value == "true",  # a valid account name
    "word": lambda value, text: False,
    "flag": lambda value, text: text in ("true", "false"),
    "id": lambda value, text: value is not None,
    "ref": lambda value, text: value in ("NaN", "Infinity", "None", "true", "0x1"),
    "memo": lambda value, text: value is not None and _is_memo(value),
    "lots": lambda value, text: text in ("0", "1", "-1"),
    "any": lambda value, text: True,
}
Fields = dict[str, tuple[Any, str]]
# Valid payloads of each action, with the kind of each field.
PAIR: Final[Fields] = {"symbol": ("TKN", "word"), "quote": ("SWAP.HIVE", "word")}
ORDER: Final[Fields] = {
    **PAIR,
    "quantity": ("1", "decimal"),
    "price": ("1", "decimal"),
    "settle": ("venue", "word"),
    "maxFeeBps": (20, "natural"),
    "for": ("alice", "name"),
}
LIMIT: Final[Fields] = {
    **ORDER,
    "expiration": (60, "integer"),
    "timeInForce": ("GTC", "word"),
    "postOnly": (False, "flag"),
}
TRIGGER: Final[Fields] = {"triggerPrice": ("1", "decimal"), "triggerWhen": ("above", "word")}
PROTECTIVE: Final[Fields] = {"stopPrice": ("1", "decimal"), "stopLimit": ("1", "decimal")}
FEES: Final[Fields] = {
    "makerFeeBps": (1, "natural"),
    "takerFeeBps": (1, "natural"),
    "pricePolicy": ("maker", "word"),
    "selfTrade": ("allow", "word"),
}
ACTIONS: Final[list[tuple[str, Fields]]] = [
    ("buy", LIMIT),
    ("buy", LIMIT | TRIGGER),
    ("sell", LIMIT | PROTECTIVE),
    ("marketBuy", ORDER),
    ("marketSell", ORDER | TRIGGER | {"expiration": (60, "integer")}),
    ("cancel", {"id": ("x", "id"), "type": ("buy", "any"), "for": ("alice", "name")}),
    ("cancelAll", PAIR | {"for": ("alice", "name")}),
    ("replace", {"id": ("x", "id"), "quantity": ("1", "decimal"), "price": ("1", "decimal"), **PROTECTIVE}),
    ("cancelAllAfter", {"seconds": (15, "zero")}),
    (
        "withdraw",
        {
            "symbol": ("TKN", "word"),
            "quantity": ("1", "decimal"),
            "to": ("bob", "name"),
            "memo": ("m", "memo"),
        },
    ),
    ("cancelWithdrawal", {"id": ("x", "id")}),
    (
        "grant",
        {
            "to": ("bob", "name"),
            "pairs": (["TKN/SWAP.HIVE"], "word"),
            "perDay": ({"TKN": "1"}, "word"),
            "bandBps": (100, "natural"),
            "until": (START + 60, "word"),
        },
    ),
    ("revoke", {"to": ("bob", "name")}),
    (
        "listToken",
        {
            "symbol": ("TKN", "word"),
            "precision": (2, "natural"),
            "escrow": ("dex.tokens", "word"),
            "minWithdrawal": ("1", "decimal"),
            "for": ("alice", "any"),
        },
    ),
    ("listPair", PAIR | {"priceDecimals": (1, "natural"), "quantityDecimals": (1, "lots")} | FEES),
    ("updatePair", PAIR | FEES | {"status": ("active", "word")}),
    ("updateVenue", {"maxOpenOrders": (5, "integer"), "feeAccount": ("dex.fees", "name")}),
    ("checkpoint", {"block": (1, "natural"), "stateHash": (HASH, "word"), "journalHash": (HASH, "word")}),
    ("returnWithdrawal", {"id": ("x", "id")}),
    ("upgrade", {"protocol": (3, "word"), "text": (HASH, "word"), "block": (0, "zero")}),
]
_BOTH_OR_NEITHER: Final = {*TRIGGER, *PROTECTIVE}
REQUIRED: Final = {
    "buy": "symbol quantity price",
    "sell": "symbol quantity price",
    "marketBuy": "symbol quantity",
    "marketSell": "symbol quantity price",  # the price because of its trigger
    "cancel": "id",
    "replace": "id",
    "cancelAllAfter": "seconds",
    "withdraw": "symbol quantity",
    "cancelWithdrawal": "id",
    "grant": "to pairs perDay bandBps until",
    "revoke": "to",
    "listToken": "symbol precision escrow minWithdrawal",
    "listPair": "symbol quote priceDecimals quantityDecimals",
    "updatePair": "symbol quote",
    "checkpoint": "block stateHash journalHash",
    "returnWithdrawal": "id",
    "upgrade": "protocol text block",
}


def _string_of(text: str) -> str | None:
    """The string that a JSON text encodes; None for anything else."""
    value = loads(text)
    return value if type(value) is str else None


def _is_memo(text: str) -> bool:
    return 0 < len(text) <= 256 and text.isprintable() and not text.startswith(("peakedex:", "#"))


def _payload(fields: Fields, key: str, text: str) -> str:
    """The valid payload as JSON text, with the value of one key replaced or removed."""
    texts = {name: json.dumps(value) for name, (value, _) in fields.items()}
    texts[key] = text
    return "{" + ",".join(f"{json.dumps(k)}:{v}" for k, v in texts.items() if v != _MISSING) + "}"


def _cases(action: str, fields: Fields) -> list[tuple[str, str, bool]]:
    """(key, payload text, whether it is valid) for each field with each odd value, and for each missing field."""
    fields = {**fields, "ref": ("r", "ref"), "notAfter": (START, "natural")}
    cases = []
    for key, (_, kind) in fields.items():
        for text in ODD_VALUES:
            value = _string_of(text)
            cases.append((key, _payload(fields, key, text), KINDS[kind](value, text)))
        is_required = key in REQUIRED.get(action, "").split() or key in _BOTH_OR_NEITHER
        cases.append((key, _payload(fields, key, _MISSING), not is_required))
    return cases


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("action", "fields"), ACTIONS)
def test_each_field_rejects_other_values(action: str, fields: Fields, shape: str, indexer: Indexer) -> None:
    cases = _cases(action, fields)
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


def test_every_action_and_every_key_is_tried() -> None:
    tried: dict[str, set[str]] = {}
    for action, fields in ACTIONS:
        tried.setdefault(action, {"ref", "notAfter"}).update(fields)
    tried["buy"] |= PROTECTIVE.keys()
    tried["sell"] |= TRIGGER.keys()
    tried["marketBuy"] |= {*TRIGGER, "expiration"}
    for action in ("replace", "cancelAllAfter"):
        tried[action].add("for")
    tried["replace"].add("maxFeeBps")
    known = {name: {field.key for field in spec.fields} for name, spec in ALL_ACTIONS.items()}
    assert {name: keys - {"type"} for name, keys in tried.items() if name != "listToken"} == {
        name: keys for name, keys in known.items() if name != "listToken"
    }


@pytest.mark.parametrize("text", ODD_VALUES)
def test_the_payload_itself_may_be_anything(text: str, indexer: Indexer) -> None:
    block = Block(1, START)
    for count, action in enumerate(ALL_ACTIONS, 1):
        body = f'{{"contractName":"peakedex","contractAction":"{action}","contractPayload":{text}}}'
        block.transactions.append(
            (transaction_id(count), [custom_json(body, ["operator"], [], "ssc-mainnet-hive")])
        )
    lines = indexer.record([block])
    is_object = text.startswith("{")
    accepted = {"cancelAll", "updateVenue"} if is_object else set()
    rejected = {line.split()[3] for line in lines if line.endswith(" E_INPUT")}
    assert rejected == ALL_ACTIONS.keys() - accepted


@pytest.mark.parametrize("text", ODD_VALUES)
def test_the_action_itself_may_be_anything(text: str, indexer: Indexer) -> None:
    body = f'{{"contractName":"peakedex","contractAction":{text},"contractPayload":{{}}}}'
    block = Block(1, START, [(transaction_id(1), [custom_json(body, ["alice"], [], "ssc-mainnet-hive")])])
    value = _string_of(text)
    is_word = value is not None and value.isascii() and value.isalpha() and len(value) <= 32
    assert indexer.record([block]) == [
        f"reject {transaction_id(1)} alice {value if is_word else '-'} - E_INPUT"
    ]
