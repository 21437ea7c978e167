"""Parser of scenario files (format: README.md)."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from settlement.core.journal import lines, state_lines
from settlement.core.venue import Venue, parse_venue
from tests.scenarios.chain import Block, custom_json, transaction_id
from tests.support.blocks import Operation, iso, transfer

HERE: Final = Path(__file__).parent
START: Final = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp())
_CODE: Final = re.compile(r"(.*?)\s*=> (?:(\S+) )?(E_[A-Z_]+)")
_ALIAS: Final = re.compile(r"@([1-9][0-9]*)")
_TIME: Final = re.compile(r"(?<![A-Za-z0-9])t\+([0-9]+)")
_REPEAT: Final = re.compile(r"repeat ([1-9][0-9]*) (.*)")
_TIME_FIELDS: Final = frozenset(("expiry", "due", "until", "returning"))
_SETTINGS: Final = frozenset(("last", "rules", "token", "pair"))
_TRANSFER: Final = re.compile(r"transfers (\S+) (\S+) to (\S+)(?: memo: (.*))?")
_TOKEN: Final = re.compile(r"(pays|asks) (\S+) (\S+) to (\S+)(?: memo: (.*))?")
_RECEIPT: Final = re.compile(r"receipt(?: (@\S+))?(?: (.*))?")
_MOVED: Final = re.compile(r'("[^"]*"|\S+) -> ("[^"]*"|\S+) (.*?) ("[^"]*"|\S+)')


class ScenarioError(ValueError):
    """A malformed scenario file, with file name and line."""


@dataclass
class Scenario:
    """One scenario: venue, blocks, and the expected journal, state and rejections."""

    path: Path
    line: int
    title: str
    venue_name: str = "basic"
    settings: list[tuple[str, str]] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)
    given: set[int] = field(default_factory=set)
    journal: list[str] | None = None
    state: list[str] | None = None
    whole_state: list[str] | None = None
    state_holds: list[str] = field(default_factory=list)
    rejects: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        return f"{self.path.stem}: {self.title}"

    def venue(self) -> Venue:
        return read_venue(self.venue_name, self.settings)

    def expected_rejects(self) -> set[tuple[str, str]]:
        """Every expected (action, code)."""
        rejects = [short_reject(line) for line in self.journal or () if line.startswith("reject ")]
        return {(line.split()[3], line.split()[4]) for line in self.rejects + rejects}


def read_venue(name: str, settings: list[tuple[str, str]]) -> Venue:
    """A venue of the folder `venues` with some fields changed, such as `pairs[0].status = "paused"`."""
    document = tomllib.loads((HERE / "venues" / f"{name}.toml").read_text())
    for place, value in settings:
        keys = [part.strip('"') for part in re.findall(r'"[^"]*"|[^.\[\]]+', place)]
        held: Any = document
        for key in keys[:-1]:
            held = held[int(key)] if isinstance(held, list) else held.setdefault(key, {})
        held[keys[-1]] = tomllib.loads(f"v = {value}")["v"]
    return parse_venue(_toml(document))


def _toml(document: dict[str, Any]) -> str:
    def table(values: dict[str, Any]) -> list[str]:
        return [f"{key} = {json.dumps(value)}" for key, value in values.items()]

    lines = ["[venue]", *table(document["venue"])]
    for symbol, token in document.get("tokens", {}).items():
        lines += [f'[tokens."{symbol}"]', *table(token)]
    for pair in document.get("pairs", []):
        lines += ["[[pairs]]", *table(pair)]
    return "\n".join(lines) + "\n"


def read_scenarios(path: Path) -> list[Scenario]:
    """All scenarios of a file."""
    return list(_Reader(path).scenarios())


class _Reader:
    """Line reader of one file. Indented lines belong to the last line without indentation."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lines = path.read_text(encoding="utf-8").splitlines()
        self._at = 0

    def _fail(self, problem: str) -> ScenarioError:
        return ScenarioError(f"{self._path.name}, line {self._at}: {problem}")

    def scenarios(self) -> Iterator[Scenario]:
        while (start := self._next_title()) is not None:
            yield _ScenarioBuilder(self, start).build()

    def _next_title(self) -> Scenario | None:
        while self._at < len(self._lines):
            line = self._lines[self._at]
            self._at += 1
            if line.startswith("# "):
                return Scenario(self._path, self._at, line[2:].strip())
            if line.strip():
                raise self._fail("a scenario begins with its title: # …")
        return None

    def take(self) -> str | None:
        """The next line with content; None at the next title or the end of the file."""
        in_prose = True
        while self._at < len(self._lines):
            line = self._lines[self._at]
            if line.startswith("# ") and not (in_prose and self._lines[self._at - 1].startswith("# ")):
                return None
            self._at += 1
            in_prose = in_prose and line.startswith("# ")
            if line.strip() and not line.strip().startswith("# "):
                return line.rstrip()
        return None

    fail = _fail


class _ScenarioBuilder:
    """Builds one scenario from its lines."""

    def __init__(self, reader: _Reader, case: Scenario) -> None:
        self._reader = reader
        self._case = case
        self._venue: Venue | None = None
        self._transactions = 0
        self._element_id = ""
        self._joint: list[Operation] | None = None

    def build(self) -> Scenario:
        section = ""
        case = self._case
        while (line := self._reader.take()) is not None:
            if not line.startswith(" "):
                section = self._section(line)
            elif section == "block":
                self._chain_line(line)
            elif section == "journal":
                assert case.journal is not None
                case.journal.append(self._aliases(line.strip()))
            elif section == "state":
                assert case.state is not None
                case.state.append(self._aliases(line.strip()))
            elif section == "whole state":
                assert case.whole_state is not None
                case.whole_state.append(self._aliases(line.strip()))
            elif section == "state holds":
                case.state_holds.append(self._aliases(line.strip()))
            else:
                raise self._reader.fail("indented line outside a section")
        if not case.blocks:
            raise self._reader.fail(f"{case.title}: no block")
        return case

    def _section(self, line: str) -> str:
        word, _, rest = line.partition(" ")
        case = self._case
        match word:
            case "use":
                case.venue_name = rest.strip()
            case "set":
                place, _, value = rest.partition(" = ")
                case.settings.append((place.strip(), value.strip()))
            case "block" | "given":
                self._new_block(rest.strip())
                if word == "given":
                    case.given.add(case.blocks[-1].number)
                return "block"
            case "journal":
                case.journal = []
            case "state" if rest == "holds":
                return line
            case "state":
                case.state = []
            case "whole" if rest == "state":
                case.whole_state = []
                return line
            case _:
                raise self._reader.fail(f"unknown: {line}")
        return word

    def _new_block(self, when: str) -> None:
        if self._venue is None:
            self._venue = self._case.venue()
        blocks = self._case.blocks
        if blocks:
            number, time = blocks[-1].number + 1, blocks[-1].timestamp + 3
        else:
            number, time = self._venue.start_block, START
        if when.startswith("+"):
            time += int(when[1:]) - 3
        elif when:
            time = int(datetime.fromisoformat(when).replace(tzinfo=UTC).timestamp())
        blocks.append(Block(number, time))
        self._joint = None

    @property
    def _block(self) -> Block:
        return self._case.blocks[-1]

    def _aliases(self, text: str) -> str:
        return _ALIAS.sub(lambda found: transaction_id(int(found.group(1))), text)

    def _values(self, text: str) -> str:
        """Operations may give times as `t+60`."""
        return _TIME.sub(lambda found: str(START + int(found.group(1))), self._aliases(text))

    # ------------------------------------------------------------ one line of a block

    def _chain_line(self, line: str) -> None:
        indent = len(line) - len(line.lstrip())
        text = self._values(line.strip())
        if self._joint is not None and indent < 4:
            self._joint = None
        if text == "together":
            self._transactions += 1
            self._joint = []
            self._block.transactions.append((transaction_id(self._transactions), self._joint))
            return
        if text.startswith("receipt"):
            self._receipt(line.strip())
            return
        repeated = _REPEAT.fullmatch(text)
        if repeated:
            for _ in range(int(repeated.group(1))):
                self._chain_line(repeated.group(2))
            return
        operation_id = self._open_operation()
        who, _, verb_text = text.partition(" ")
        if who == "operation":
            name, _, value = verb_text.partition(" ")
            self._add((name, json.loads(value)))
        else:
            self._operation(who, verb_text, operation_id)

    def _open_operation(self) -> str:
        """The intent id of the next operation. A joint transaction has at least two operations."""
        if self._joint is not None:
            return f"{transaction_id(self._transactions)}-{len(self._joint)}"
        self._transactions += 1
        self._block.transactions.append((transaction_id(self._transactions), []))
        return transaction_id(self._transactions)

    def _add(self, operation: Operation) -> None:
        self._block.transactions[-1][1].append(operation)

    def _operation(self, who: str, text: str, operation_id: str) -> None:
        assert self._venue is not None
        verb, _, rest = text.partition(" ")
        active, _, posting = who.partition("/")
        signers, posters = active.split(",") if active else [], posting.split(",") if posting else []
        first = (signers or posters or [""])[0]
        self._element_id = operation_id
        json_id = self._venue.custom_json_id
        match verb:
            case "transfers":
                found = _TRANSFER.fullmatch(text)
                if not found:
                    raise self._reader.fail("… transfers 1.000 HIVE to NAME memo: …")
                amount, symbol, to, memo = found.groups()
                self._add(transfer(first, to, f"{amount} {symbol}", _memo(memo) or ""))
            case "has":
                self._has(first, *rest.split())
            case "pays" | "asks":
                element = self._element(text, first, operation_id)
                self._add(custom_json(element, signers, posters, json_id))
            case "sends" | "posts":
                if verb == "posts":
                    signers, posters = [], signers
                text = self._content(rest, first, operation_id)
                self._add(custom_json(text, signers, posters, json_id))
            case "broadcasts":
                other_id, _, text = rest.partition(" ")
                self._add(custom_json(text, signers, posters, other_id))
            case _:
                raise self._reader.fail(f"unknown verb {verb!r}")

    def _has(self, name: str, quantity: str, symbol: str) -> None:
        """A normal deposit."""
        assert self._venue is not None
        token = next(token for token in self._venue.tokens if token.symbol == symbol)
        if token.chain == "hive":
            self._add(transfer(name, token.escrow, f"{quantity} {symbol}"))
        else:
            text = self._element(f"pays {quantity} {symbol} to {token.escrow}", name, self._element_id)
            self._add(custom_json(text, [name], [], self._venue.custom_json_id))

    def _content(self, rest: str, who: str, operation_id: str) -> str:
        """JSON text of a custom_json: one element, or an array of the lines up to `]`."""
        if rest != "[":
            return self._element(rest, who, operation_id)
        texts: list[str] = []
        while (line := self._reader.take()) is not None and line.strip() != "]":
            texts.append(self._values(line.strip()))
        if line is None:
            raise self._reader.fail("the array does not end")
        elements = []
        for index, line_text in enumerate(texts):
            element_id = operation_id if len(texts) == 1 else f"{operation_id}-{index}"
            elements.append(self._element(line_text, who, element_id))
        return f"[{','.join(elements)}]"

    def _element(self, text: str, who: str, element_id: str) -> str:
        """One element: an action, raw text, or a token transfer."""
        assert self._venue is not None
        self._element_id = element_id
        found = _CODE.fullmatch(text)
        expected: tuple[str | None, str] | None = None
        if found:
            text, expected = found.group(1), (found.group(2), found.group(3))
        name, _, rest = text.partition(" ")
        token = _TOKEN.fullmatch(text)
        if token:
            verb, quantity, symbol, to, memo = token.groups()
            payload = {"symbol": symbol, "to": to, "quantity": quantity}
            if memo is not None:
                payload["memo"] = _memo(memo)
            if verb == "pays":
                self._log(element_id, "events", _moved(who, to, quantity, symbol))
            return _json({"contractName": "tokens", "contractAction": "transfer", "contractPayload": payload})
        if expected:
            self._case.rejects.append(f"reject {element_id} {who} {expected[0] or name} {expected[1]}")
        if name == "raw":
            return rest
        head = f'"contractName":"{self._venue.contract}","contractAction":{json.dumps(name)}'
        return "{" + head + (f',"contractPayload":{_payload(rest)}' if rest else "") + "}"

    # ------------------------------------------------------------ what the sidechain says

    def _log(self, element_id: str, kind: str, entry: object) -> None:
        logs = self._block.logs
        if logs is None:
            logs = self._block.logs = {}
        log = json.loads(logs.get(element_id, "{}"))
        log.setdefault(kind, []).append(entry)
        logs[element_id] = json.dumps(log)

    def _receipt(self, line: str) -> None:
        """`receipt [@id] alice -> dex 10 TKN`, `… error TEXT`, `… event JSON`, `… logs TEXT`, `… nothing`."""
        found = _RECEIPT.fullmatch(line)
        if not found or not found.group(2):
            raise self._reader.fail("receipt what?")
        element_id = self._aliases(found.group(1)) if found.group(1) else self._element_id
        text = self._aliases(found.group(2))
        kind, _, rest = text.partition(" ")
        moved = _MOVED.fullmatch(text)
        if kind == "nothing":
            self._block.logs = self._block.logs or {}
        elif kind == "error":
            self._log(element_id, "errors", rest)
        elif kind == "event":
            self._log(element_id, "events", json.loads(rest))
        elif kind == "logs":
            self._block.logs = {**(self._block.logs or {}), element_id: rest}
        elif moved:
            sender, to, quantity, symbol = moved.groups()
            self._log(
                element_id, "events", _moved(_memo(sender), _memo(to), _quoted(quantity), _memo(symbol))
            )
        else:
            raise self._reader.fail("receipt what?")


def _moved(sender: object, to: object, quantity: object, symbol: object) -> dict[str, Any]:
    data = {"from": sender, "to": to, "symbol": symbol, "quantity": quantity}
    return {"contract": "tokens", "event": "transfer", "data": data}


def _memo(text: str | None) -> Any:
    """Text as it stands, or as a JSON value where it begins with a quote."""
    return json.loads(text) if text is not None and text.startswith('"') else text


def _quoted(text: str) -> Any:
    """A quantity: text as it stands, or any JSON value after a `=`."""
    return json.loads(text[1:]) if text.startswith("=") else _memo(text)


def _payload(text: str) -> str:
    """A payload: JSON text as it stands, or `key=text` and `key:=json` pairs."""
    if not re.match(r"[A-Za-z]+:?=", text):
        return text
    parts = []
    for word in text.split():
        found = re.fullmatch(r"([A-Za-z]+)(:?)=(.*)", word)
        if not found:
            raise ScenarioError(f"{word!r} is neither key=text nor key:=json")
        key, is_json, value = found.groups()
        parts.append(f"{json.dumps(key)}:{value if is_json else json.dumps(value)}")
    return "{" + ",".join(parts) + "}"


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


# ------------------------------------------------------------ what comes out, in short words


def in_short(journal: list[str], blocks: list[Block], block_ids: dict[int, str]) -> list[str]:
    """Journal lines in the notation of scenarios: `block 2` for the whole header line, `t+9` for a time."""
    headers = {
        f"block {block.number} {block_ids[block.number]} {iso(block.timestamp)}": f"block {block.number}"
        for block in blocks
    }
    return [headers[line] if line in headers else _short_times(line, lines.KINDS) for line in journal]


def state_in_short(state: list[str]) -> list[str]:
    """State lines in the notation of scenarios, the head left out."""
    return [_short_times(line, state_lines.KINDS) for line in state]


def without_settings(state: list[str]) -> list[str]:
    """What the section `state` compares: all but counters, rules, tokens and pairs."""
    return [line for line in state if line.split(" ")[0] not in _SETTINGS]


def short_reject(line: str) -> str:
    """A `reject` line without its reference, as a mark `=> E_CODE` expects it."""
    words = line.split(" ")
    return " ".join([*words[:4], words[5]])


def _short_times(line: str, kinds: Mapping[str, type[Any]]) -> str:
    kind, *words = line.split(" ")
    fields = kinds[kind]._fields
    short = [
        f"t+{int(word) - START}" if name in _TIME_FIELDS and word != "-" else word
        for name, word in zip(fields, words, strict=True)
    ]
    return " ".join([kind, *short])


def with_aliases(texts: list[str]) -> list[str]:
    """Lines with transaction ids as `@n`."""

    def alias(found: re.Match[str]) -> str:
        return f"@{int(found.group()[:8], 16)}"

    return [re.sub(r"\b([0-9a-f]{8})\1{4}(?![0-9a-f])", alias, text) for text in texts]
