"""hived's errors are classified by the texts that a real node answered; and it reads what is sent to it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from settlement.net.json_rpc import encode
from settlement.payouts.chain.broadcast_answers import classify
from tests.support import real_nodes

CAUSES_BY_NAME = {
    "transaction_expiration_exception": "expired",
    "transaction_tapos_exception": "reference",
    "tx_missing_active_auth": "authority",
    "tx_missing_posting_auth": "authority",
    "tx_duplicate_sig": "signature",
    "not_enough_rc_exception": "resources",
    "bad_cast_exception": "request",
}
CAUSES_BY_TEXT = {
    "Duplicate transaction check failed": "duplicate",
    "signature is not canonical": "signature",
    "secp256k1_ecdsa_recover": "signature",
    "unable to reconstruct public key": "signature",
    "Invalid hex character": "signature",
    "does not have sufficient funds": "funds",
    "Account no-such-account doesn't exist": "missing_account",
    "unknown key: no-such-account": "missing_account",
    "already submitted 5 custom json operation(s) this block": "pool_limit",
    "Could not find method": "request",
}
"""Plain assertions: hived names the cause in the text alone."""
REFUSED = [
    line
    for line in real_nodes.lines("hive_broadcast")
    if isinstance(line["response"], dict) and "error" in line["response"]
]


@pytest.mark.parametrize("line", REFUSED, ids=lambda line: str(line["case"]))
def test_a_recorded_error_has_its_cause(line: dict[str, Any]) -> None:
    """By the name that hived gives it beside the text; of a plain assertion, by its own text."""
    error = line["response"]["error"]
    named = CAUSES_BY_NAME.get(error["data"]["name"])
    told = {cause for text, cause in CAUSES_BY_TEXT.items() if text in error["message"]}
    assert {classify(error["message"])} == ({named} if named else told or {"invalid"})


def test_every_cause_is_recorded() -> None:
    causes = {classify(line["response"]["error"]["message"]) for line in REFUSED}
    assert causes == {*CAUSES_BY_NAME.values(), *CAUSES_BY_TEXT.values(), "invalid"}


@pytest.mark.parametrize(
    "text",
    ["", "Internal Error", "Unable to acquire database lock", "upstream request timeout", "502 Bad Gateway"],
)
def test_an_error_of_a_gateway_is_none_of_hived_s(text: str) -> None:
    """The transaction may have arrived."""
    assert classify(text) is None


ACCEPTED_MEMOS = ("memo/non-ascii-raw", "memo/short-escapes", "memo/control-raw")


@pytest.mark.parametrize("case", ACCEPTED_MEMOS)
def test_a_memo_is_sent_as_a_real_node_accepted_it(case: str) -> None:
    line = real_nodes.exchange("hive_broadcast", case)
    assert line["response"]["result"] == {}
    compact = json.dumps(line["request"], ensure_ascii=False, separators=(",", ":"))
    assert encode(line["request"]) == line.get("request_text", compact).encode()


@pytest.mark.parametrize(
    "case", ["memo/non-ascii-escapes", "memo/control-escape", "memo/form-feed-backspace"]
)
def test_a_memo_is_not_sent_as_a_real_node_misread_it(case: str) -> None:
    line = real_nodes.exchange("hive_broadcast", case)
    assert "missing required active authority" in line["response"]["error"]["message"]
    memo = json.loads(line.get("request_text") or json.dumps(line["request"]))["params"][0]["operations"][0][
        1
    ]["memo"]
    assert encode(memo) == b'"' + memo.encode() + b'"'


def test_backslashes_of_a_text_itself_stay() -> None:
    assert encode("\\u00fc \\b \\\\") == rb'"\\u00fc \\b \\\\"'
    assert json.loads(encode(r"a\u0001")) == r"a\u0001"
