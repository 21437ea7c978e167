"""Coverage of the scenarios: every code of every action, every kind of journal line, unique titles."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Final

import pytest

from settlement.core.codes import Code
from settlement.core.journal import lines, state_lines
from settlement.core.operator_actions import OPERATOR_ACTIONS
from tests.scenarios.scenario import HERE, ScenarioError, read_scenarios
from tests.scenarios.test_scenarios import CASES

_ANY: Final = "E_INPUT E_AUTH E_LATE"
_ORDER: Final = f"{_ANY} E_GRANT E_PAIR E_PAUSED E_PRECISION E_RANGE E_FEE E_LIMIT E_TRIGGER E_FUNDS"
POSSIBLE: Final = {
    "buy": f"{_ORDER} E_POST_ONLY E_FOK E_SELF_TRADE E_NO_LIQUIDITY",
    "sell": f"{_ORDER} E_POST_ONLY E_FOK E_SELF_TRADE E_NO_LIQUIDITY",
    "marketBuy": f"{_ORDER} E_SELF_TRADE E_NO_LIQUIDITY",
    "marketSell": f"{_ORDER} E_SELF_TRADE E_NO_LIQUIDITY",
    "cancel": f"{_ANY} E_GRANT E_NOT_FOUND E_OWNER",
    "cancelAll": f"{_ANY} E_PAIR",
    "cancelAllAfter": _ANY,
    "replace": (
        f"{_ANY} E_GRANT E_NOT_FOUND E_OWNER E_PAUSED E_PRECISION E_RANGE E_FEE E_LIMIT E_TRIGGER E_SELF_TRADE E_FUNDS"
    ),
    "withdraw": f"{_ANY} E_GRANT E_TOKEN E_PRECISION E_RANGE E_LIMIT E_MINIMUM E_FUNDS",
    "cancelWithdrawal": f"{_ANY} E_GRANT E_NOT_FOUND E_OWNER",
    "grant": f"{_ANY} E_GRANT E_PAIR E_TOKEN E_PRECISION E_RANGE E_LIMIT",
    "revoke": f"{_ANY} E_GRANT E_NOT_FOUND",
    "listToken": f"{_ANY} E_TOKEN E_PRECISION E_RANGE",
    "listPair": f"{_ANY} E_TOKEN E_PAIR",
    "updatePair": f"{_ANY} E_PAIR E_PAUSED",
    "updateVenue": _ANY,
    "checkpoint": _ANY,
    "returnWithdrawal": f"{_ANY} E_NOT_FOUND",
    "upgrade": _ANY,
    "-": "E_INPUT",
}
"""The codes that each action can get. A new code is added here together with a scenario."""


def test_every_code_of_every_action_has_a_scenario() -> None:
    possible = {(action, code) for action, codes in POSSIBLE.items() for code in codes.split()}
    found = {reject for case in CASES for reject in case.expected_rejects()}
    unknown_actions = {(action, code) for action, code in found if action not in POSSIBLE}
    assert possible - found == set()
    assert found - possible - unknown_actions == set()
    assert {code for _, code in unknown_actions} == {"E_INPUT"}
    assert {code for _, code in possible} == {code.value for code in Code}
    assert set(POSSIBLE) >= OPERATOR_ACTIONS


def test_every_action_is_accepted_in_a_scenario() -> None:
    found = {line.split()[4] for case in CASES for line in case.journal or () if line.startswith("accept ")}
    assert found == set(POSSIBLE) - {"-"}


def test_fired_orders_are_rejected_in_scenarios() -> None:
    found = {
        (last.split()[3], last.split()[5])
        for case in CASES
        for first, last in pairwise((case.journal or ())[1:])
        if last.startswith("reject ") and first.startswith("close ")
        if first.split()[1] in (last.split()[1], last.split()[1].removesuffix("~stop"))
    }
    assert {code for _, code in found} == {"E_POST_ONLY", "E_FOK", "E_SELF_TRADE", "E_NO_LIQUIDITY"}
    assert {action for action, _ in found} == {"buy", "sell", "marketBuy", "marketSell"}


def test_every_kind_of_line_has_a_scenario() -> None:
    found = {line.split()[0] for case in CASES for line in case.journal or ()}
    assert found == {"block", *lines.KINDS}


def test_every_kind_of_state_line_has_a_scenario() -> None:
    found = {
        line.split()[0]
        for case in CASES
        for line in [*(case.state or ()), *(case.whole_state or ()), *case.state_holds]
    }
    assert found == set(state_lines.KINDS)


def test_titles_are_unique() -> None:
    assert [title for title, count in Counter(case.name for case in CASES).items() if count > 1] == []


def test_every_file_stands_in_the_list_of_rules() -> None:
    readme = (HERE / "README.md").read_text()
    for path in sorted([*HERE.glob("*.txt"), *HERE.glob("venues/*.toml")]):
        assert f"`{path.name}`" in readme


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("block\n", "line 1: a scenario begins"),
        ("# T\nblock\n  alice dances\n", "line 3: unknown verb 'dances'"),
        ("# T\nblok\n", "line 2: unknown: blok"),
        ("# T\nblock\n  alice sends [\n    raw 5\n", "does not end"),
        ("# T\njournal\n", "no block"),
        ("# T\nblock\n  alice asks 1 TKN to dex.tokens\n  receipt what\n", "line 4: receipt what?"),
        ("# T\n  alice dances\n", "line 2: indented line outside a section"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_with_its_line(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "bad.txt"
    path.write_text(text)
    with pytest.raises(ScenarioError, match=problem.replace("?", r"\?")):
        read_scenarios(path)
