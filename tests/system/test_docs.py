"""Documents that fail when they are stale: commands, options and settings are named, examples run."""

from __future__ import annotations

import re
from collections import Counter
from hashlib import sha256
from pathlib import Path

import click
import pytest

from indexer.settings import setting_names, variable
from settlement.core.journal.state_text import state_text
from tests.support import doc_examples as examples
from tests.support.doc_examples import DOCUMENTS
from tests.system.cli.command import commands
from tests.system.store.chains import JOURNAL_KINDS, demo, lively, replay

GUIDE = DOCUMENTS["operator.md"]
AUDITOR = DOCUMENTS["auditor.md"]
COMMANDS = {" ".join(name): command for name, command in commands()}


def row_of(command: str) -> str:
    """The operator's guide's row of a command; for intents with what all of them share."""
    rows = [line for line in GUIDE.splitlines() if line.startswith(f"| `peakedex {command}` |")]
    assert len(rows) == 1, f"docs/operator.md needs one row for `peakedex {command}`"
    if command.startswith("intent "):
        rows += re.findall(r"^`peakedex intent` prints.*?\n\n", GUIDE, re.MULTILINE | re.DOTALL)
        assert len(rows) == 2
    return " ".join(rows)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_of_every_command_is_in_the_operator_s_guide(command: str) -> None:
    row = row_of(command)
    options = {
        option
        for parameter in COMMANDS[command].params
        if isinstance(parameter, click.Option)
        for option in (*parameter.opts, *parameter.secondary_opts)
        if option.startswith("--")
    }
    assert {option for option in options if f"`{option}`" not in row} == set()


@pytest.mark.parametrize("command", COMMANDS)
def test_no_option_is_documented_that_does_not_exist(command: str) -> None:
    own = row_of(command).split("|")[2]
    known = {
        option
        for parameter in COMMANDS[command].params
        for option in (*parameter.opts, *parameter.secondary_opts)
    }
    assert set(re.findall(r"`(--[a-z-]+)`", own)) <= known


def test_no_command_is_documented_that_does_not_exist() -> None:
    groups = {name.rsplit(" ", 1)[0] for name in COMMANDS if " " in name}
    for name, text in DOCUMENTS.items():
        for line in text.splitlines():
            for words in re.findall(r"^\| `peakedex ([a-z -]+)` \|", line):
                assert words in COMMANDS or words in groups, f"{name}: {line}"


@pytest.mark.parametrize("setting", setting_names())
def test_every_setting_is_in_the_table_with_its_key_variable_and_option(setting: str) -> None:
    row = f"| `{setting}` | `{variable(setting)}` | `--{setting}` |"
    assert row in GUIDE, f"docs/operator.md needs a row that begins {row}"


def test_the_table_of_settings_has_no_others() -> None:
    rows = re.findall(r"^\| `([a-z-]+)` \| `PEAKEDEX_", GUIDE, re.MULTILINE)
    assert rows == list(setting_names())


def test_every_kind_of_journal_line_is_in_the_auditor_s_guide() -> None:
    assert [kind for kind in JOURNAL_KINDS if f"| `{kind} <" not in AUDITOR] == []


# ---------------------------------------------------------------- the trader's guide and the site

TEXTS = "\n".join(
    path.read_text("utf-8") for path in sorted((examples.ROOT / "frontend" / "js" / "strings").glob("*.js"))
)
PENDING = TEXTS[TEXTS.index("export const pending") : TEXTS.index("codes: {")]


def test_the_messages_of_the_site_are_those_that_the_trader_s_guide_explains() -> None:
    table = DOCUMENTS["trader.md"].split("| the site says |")[1].split("\n\n")[0]
    explained = {
        words.strip()
        for row in re.findall(r"^\| ([^|]+) \|", table, re.MULTILINE)
        for words in row.split(",")
    }
    titles = set(re.findall(r'title: [`"]([A-Z][^:`"$]*?)(?: \$\{|[:`"])', PENDING))
    while_waiting = {"Waiting for Hive Keychain", "No response from Hive Keychain"}
    assert explained - {"---"} == titles - while_waiting


def test_what_the_trader_s_guide_says_to_press_is_there() -> None:
    for name in ("trader.md", "devnet.md"):
        for words in re.findall(r"(?<!\*)\*([A-Z][^*\n]+)\*(?!\*)", DOCUMENTS[name]):
            assert f'"{words}"' in TEXTS, f"docs/{name}: {words}"


# ---------------------------------------------------------------- what documents name

TEST_FILES = [*(examples.ROOT / "tests").rglob("test_*.py")]
TEST_NAMES = {path.stem for path in TEST_FILES} | {
    name
    for path in TEST_FILES
    for name in re.findall(r"^ *def (test_\w+)", path.read_text("utf-8"), re.MULTILINE)
}
API_PATHS = {
    name.partition("<")[0] for name in re.findall(r"^## `(/[^`]+)`", DOCUMENTS["api.md"], re.MULTILINE)
}


# Prefixes, a devnet's door, and what the seed guide had and we have not.
NO_PATHS = {
    *(
        "/api/",
        "/api/ftp",
        "/api/order",
        "/api/balance",
        "/api/coingecko/",
        "/api/coinmarketcap/",
        "/api/udf/",
        "/api/udf",
    ),
    *("/api/devnet/rpc", "/api/devnet/engine", "/api/devnet/practice", "/api/devnet/"),
}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_what_a_document_names_is_there(document: str) -> None:
    """Tests, files of the repository, and other documents."""
    text = DOCUMENTS[document]
    assert set(re.findall(r"`(test_[a-z]\w+)`", text)) <= TEST_NAMES
    for path in re.findall(r"`(?:GET )?(/(?:api/|metrics)[\w/]*(?:\.json)?)", text):
        known = path in API_PATHS or any(name.endswith("/") and path.startswith(name) for name in API_PATHS)
        assert known or path in NO_PATHS, f"{path} is no path of docs/api.md"
    folder = examples.ROOT if document == "README.md" else examples.ROOT / "docs"
    places = [*re.findall(r"\]\((?!https?:|#)([^)#]+)", text)]
    places += [f"{examples.ROOT}/{path}" for path in re.findall(r"`((?:tests|deploy|docs)/[\w./-]+)`", text)]
    assert [place for place in places if not (folder / place).exists()] == []


def test_each_sentence_about_a_defence_names_its_test() -> None:
    """A test, or a file or folder of tests; what nothing defends belongs to the remaining risks."""
    defences = [
        " ".join(item.split())
        for part in re.split(
            r"^## ", DOCUMENTS["threat-model.md"].partition("\n## Summary")[2], flags=re.MULTILINE
        )
        for item in re.findall(r"^- (.*(?:\n  .*)*)", part.partition("**Remaining risk")[0], re.MULTILINE)
    ]
    assert len(defences) > 40
    sentences = [text for item in defences for text in re.split(r"(?<=[.!?)])\s+(?=[`A-Z])", item)]
    assert [text for text in sentences if not re.search(r"`(?:test_\w+|tests/[\w./-]+)`", text)] == []


# ---------------------------------------------------------------- the shell examples: tests/support/doc_examples.py

RUN_ELSEWHERE = {
    "bots.md": "tests/system/client/test_guide.py, with the programs that they run",
    "devnet.md": "tests/system/devnet/test_docs.py, line by line",
    "go-live.md": "tests/system/cli/test_go_live_walk.py, on a devnet of its own",
}
COMMAND = re.compile(
    r"(apt-get|chmod|cp|curl|git|install|journalctl|make|nginx|peakedex|pip|python3?|rsync|sudo|systemctl|systemd-run"
    r"|useradd|export [A-Z]|\./)[ \w]"
)
# Examples that a test cannot run: how many of a document, and what they need. Who adds one counts it here.
NOT_RUN_HERE = {
    "auditor.md": {"network": 3},
    "README.md": {"network": 1},
    "containers.md": {"network": 8, "root": 1},
    "developer.md": {"network": 1},
    "notifications.md": {"secrets": 1, "root": 1},
    "operator.md": {"network": 6, "root": 9},  # tests/system/systemd runs most of these, as root of a server
    "payouts.md": {"secrets": 2, "root": 1},
    "trader.md": {"secrets": 1},
}


def examples_of(document: str) -> list[examples.Block]:
    return [] if document in RUN_ELSEWHERE else examples.shell_blocks(document)


RUN_HERE = [name for name in DOCUMENTS if any(b.mark not in examples.NOT_RUN for b in examples_of(name))]
SHELL = [block for name in DOCUMENTS for block in examples_of(name)]


@pytest.mark.parametrize("block", SHELL, ids=lambda block: block.place)
def test_every_example_asks_the_command_line_for_what_it_has(block: examples.Block) -> None:
    assert block.mark in ("", examples.STAYS, *examples.NOT_RUN), (
        "tests/support/doc_examples.py says which marks there are"
    )
    assert [wrong for words in examples.calls(block) if (wrong := examples.misuse(words))] == []


def test_every_block_of_commands_says_that_it_is_shell() -> None:
    """Or nobody would run it."""
    hidden = [
        f"{block.place}: {line}"
        for name in DOCUMENTS
        if name not in RUN_ELSEWHERE
        for block in examples.blocks(name)
        if not block.words
        for line in block.text.splitlines()
        if COMMAND.match(line)
    ]
    assert hidden == []


def test_the_examples_that_no_test_runs_are_counted() -> None:
    found: dict[str, Counter[str]] = {}
    for block in SHELL:
        if block.mark in examples.NOT_RUN:
            found.setdefault(block.document, Counter())[block.mark] += 1
    assert found == NOT_RUN_HERE, "an example that no test runs: count it above"
    print(f"{len(SHELL)} examples, {sum(map(Counter.total, found.values()))} of them not run: {found}")


@pytest.mark.parametrize("document", RUN_HERE)
def test_the_examples_run(document: str, tmp_path: Path) -> None:
    """All of a document's in one shell, in the folder that tests/support/doc_examples.py describes."""
    done = examples.run_document(document, tmp_path)
    if check := CHECKS.get(document):
        check(done, tmp_path)


def check_auditor(done: list[tuple[examples.Block, str]], folder: Path) -> None:
    """The hashes that the auditor's guide makes with one tool are those that the others make."""

    def shown(words: str) -> str:
        """What the examples with these words printed."""
        found = [output for block, output in done if words in block.text]
        assert found, f"docs/auditor.md has no example with {words}"
        return "".join(found)

    rules, _ = replay(lively().write(folder / "again"))
    state_hash = sha256(state_text(rules.state).encode()).hexdigest()
    assert shown("venue hash --text").count(demo().hash) == 2
    hashes = re.findall(r"^(journal|state)_hash +(\w+)$", shown("replay --venue"), re.MULTILINE)
    assert ("journal", rules.state.journal_hash) in hashes
    assert ("state", state_hash) in hashes
    assert shown("sha256sum state.txt").count(state_hash) == 2
    assert "block 1 " in shown("head -5 journal.txt")
    assert rules.state.journal_hash in shown("chain.py").splitlines()
    assert "the same" in shown("cmp journal.txt").splitlines()
    assert re.search(r"^PEK owed \d+ held \d+ (enough|NOT ENOUGH)$", shown("solvency.py"), re.MULTILINE)
    assert shown("--print-state").startswith(state_hash)
    assert re.search(r"^result +same$", shown("--against https"), re.MULTILINE)
    assert f"state_hash   {state_hash}" in shown("verify_journal.py").splitlines()
    assert "the same roots" in shown("prove --roots")
    past = re.findall(r"^([0-9a-f]{64}) ", shown("--block 60 | sha256sum"), re.MULTILINE)
    assert len(past) == 2
    assert len(set(past)) == 1


CHECKS = {"auditor.md": check_auditor}
