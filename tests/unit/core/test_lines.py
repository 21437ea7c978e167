"""Lines of the journal and of the state: each kind is written and read back; other text is refused (section 11)."""

from __future__ import annotations

import inspect
import re
from typing import Any, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from settlement.core.events import BlockHeader
from settlement.core.journal import lines, state_lines
from settlement.core.journal.codec import LineError
from settlement.core.parsing.names import encode

WORDS = st.text(max_size=20).map(encode)
UNITS = st.integers(-(2**70), 2**70)
FIELDS: dict[Any, st.SearchStrategy[Any]] = {
    int: UNITS,
    str: WORDS,
    int | None: st.none() | UNITS,
    str | None: st.none() | WORDS,
}


def any_line(kind: type[Any]) -> st.SearchStrategy[Any]:
    return st.tuples(*(FIELDS[hint] for hint in get_type_hints(kind).values())).map(
        lambda values: kind(*values)
    )


ALL = st.one_of([any_line(kind) for kind in lines.KINDS.values()])
ALL_OF_STATE = st.one_of([any_line(kind) for kind in state_lines.KINDS.values()])


@given(ALL)
def test_a_journal_line_is_read_as_it_was_written(line: Any) -> None:
    text = lines.encode(line)
    assert text.endswith("\n")
    assert lines.parse(text[:-1]) == line
    assert type(lines.parse(text[:-1])) is type(line)
    assert len(text.split(" ")) == 1 + len(line)


@given(ALL_OF_STATE)
def test_a_state_line_is_read_as_it_was_written(line: Any) -> None:
    assert state_lines.parse(state_lines.encode(line)[:-1]) == line


@pytest.mark.parametrize("kind", [*lines.KINDS.values(), *state_lines.KINDS.values()])
def test_every_field_is_documented(kind: type[Any]) -> None:
    """By a comment behind it: a reader needs no other place."""
    source = inspect.getsource(kind)
    assert re.findall(r"^    (\w+): [^#\n]+  # .", source, re.MULTILINE) == list(get_type_hints(kind))


# One line of each kind, as section 11 writes it.
EXAMPLES = """\
expire o1
timeout alice posting
accept i1 alice active buy -
accept i1 alice bob cancelAll my-ref
reject i2 bob - - E_INPUT
order o1 7 alice PEK/SWAP.HIVE buy limit 20000 100000000 1700000000 0 20 venue - -
order o1 7 alice PEK/SWAP.HIVE buy limit 20000 100000000 1700000000 0 20 venue 30000 31000
order m1 8 alice PEK/SWAP.HIVE sell market - 100000000 - - 20 wallet - -
stop s1 9 alice PEK/SWAP.HIVE sell market 100 100000000 1700000000 20 below 1000 IOC -
stop s1 9 alice PEK/SWAP.HIVE buy limit 100 100000000 1700000000 20 above 1000 GTC post
trigger s1
trade 1 t1 o1 alice bob PEK/SWAP.HIVE 2 150000000 3000000 300000 0
close o1 filled 0
timer alice active 1700000015
timer alice bob -
grant alice posting 1700001000 500 PEK/HBD,PEK/SWAP.HIVE HBD:1000,PEK:7
revoke alice bob
deposit d1 alice PEK 100 dex.pek
refund r1 %2D PEK 1e31 dex.pek
ignore r1 % hive J%2FU 1%20e dex.pek
withdraw o1#PEK alice PEK 100 alice -
withdraw w1 alice PEK 100 bob %2D
returning w1 1700003600
return w1
paid w1 p1
outflow x1 dex.pek hive-engine PEK 2 mallory
outflow x1 dex.pek hive-engine JUNK =% mallory
internal n1 dex.pek dex.hive hive-engine PEK =1%20e
token PEK 8 dex.pek 100
pair PEK/HBD 5 -2 0 0 maker cancel_resting active
rules 200 fees
checkpoint 7 aa bb
upgrade 3 cc 400000
upgrade - - -
"""


def test_examples_of_every_kind() -> None:
    written = EXAMPLES.splitlines()
    parsed = [lines.parse(line) for line in written]
    assert [lines.encode(line) for line in parsed] == [f"{line}\n" for line in written]
    assert {type(line) for line in parsed} == set(lines.KINDS.values())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-",
        "nothing 1",
        "Trade 1",
        "expire",
        "expire o1 o2",
        "expire o1 ",
        "expire  o1",
        "close o1 filled -",
        "close o1 filled x",
        "close o1 filled 1.0",
        "timer alice active soon",
        "block 1 00 2023-11-14T22:13:20",
    ],
)
def test_other_text_is_no_line(text: str) -> None:
    with pytest.raises(LineError):
        lines.parse(text)


def test_the_text_of_a_block_and_its_header() -> None:
    header = BlockHeader(1000, "000003e8" + "ab" * 16, 1_700_000_000)
    text = lines.block_text(header, ["return w1\n", "expire o1\n"])
    assert text == f"block 1000 {header.block_id} 2023-11-14T22:13:20\nreturn w1\nexpire o1\n"
    assert lines.block_header(text) == header
    assert list(lines.parse_lines(text)) == [lines.Return("w1"), lines.Expire("o1")]
    assert lines.block_text(header, []) == ""


@pytest.mark.parametrize(
    "text", ["", "block", "block 1 00", "blocks 1 00 2023-11-14T22:13:20", "block 1 00 2023"]
)
def test_other_text_is_no_header(text: str) -> None:
    with pytest.raises(LineError):
        lines.block_header(text)


def test_the_hash_chain() -> None:
    """`sha256sum` of the previous hash, LF, and the block's lines."""
    previous = "0" * 64
    assert lines.chain_hash(previous, "") == previous
    assert lines.chain_hash(previous, "return w1\n") == (
        "3e9aa198f9d1a206e9948745c5987d7e12fdc16a5268db8c3c754726e2c4cd0f"
    )
