"""Choosing among the answers of several nodes; what a chain id is."""

from __future__ import annotations

import pytest

from settlement.net.chain_id import MAINNET, ChainIdError, ExpectedChain, check_chain_id
from settlement.net.parallel import most_common, most_common_of_each


def test_the_most_frequent_answer_counts_and_the_first_of_equals() -> None:
    assert most_common([1, 2, 2]) == 2
    assert most_common([[1], [2]]) == [1]
    assert most_common([None, 2, None]) is None


def test_each_key_is_decided_alone() -> None:
    answers = [{"a": 1, "b": 1}, {"a": 2, "b": 1}, {"a": 2, "c": 3}]
    assert most_common_of_each(answers) == {"a": 2, "b": 1}
    assert most_common_of_each([{"a": 1}, {}]) == {"a": 1}
    assert most_common_of_each([]) == {}


def test_chain_ids_are_64_hex_digits() -> None:
    assert check_chain_id(MAINNET) == MAINNET
    for text in ("beeab0de", MAINNET.upper(), f"{MAINNET}0", ""):
        with pytest.raises(ChainIdError, match="64 lower-case hex digits"):
            check_chain_id(text)
    with pytest.raises(ChainIdError):
        ExpectedChain("beef")
