"""The file of rules and targets: `--check` names every mistake, `--test` sends to each target."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from indexer.notify.config.model import ALARM_KINDS
from indexer.notify.config.reader import EVENTS, WHEN, ConfigError, read_config
from indexer.notify.config.targets import TYPES
from indexer.notify.prices import WINDOWS
from tests.support.doc_examples import DOCUMENTS
from tests.system.cli.command import FAILED, MISUSED, OK, peakedex
from tests.system.notify.servers import Answer, receiver

DOCUMENT = DOCUMENTS["notifications.md"]
EXAMPLES = re.findall(r"```toml\n(.*?)```", DOCUMENT, re.DOTALL)
BAD = """
poll = 3
[after_seconds]
nothing = 3
[targets.Bad]
type = "sms"
[targets.tg]
type = "telegram"
chat = "?"
token_env = "NOT_SET"
[targets.mail]
type = "email"
server = "mail.example.com"
security = "none"
from = "x\\r\\nBcc: y"
to = []
[targets.hook]
type = "webhook"
url = "http://example.com/"
extra = 1
[[rules]]
when = "fill"
accounts = ["Alice"]
to = ["nobody"]
[[rules]]
when = "price"
pair = "PEK-HIVE"
above = 0.5
to = ["hook"]
[[rules]]
when = "alarm"
alarms = ["nix"]
to = "hook"
[[metrics]]
name = "down"
metric = "x y"
above = 1
below = 2
"""
MISTAKES = (
    *("poll", "after_seconds.nothing", "targets.Bad", "targets.Bad.type", "targets.tg.chat"),
    *("targets.tg.token_env", "targets.mail.security", "targets.mail.from", "targets.mail.to"),
    *("targets.hook.url", "targets.hook.extra", "rules[1].accounts", "rules[1].to", "rules[2].pair"),
    *("rules[2].above", "rules[3].alarms", "metrics[1].name", "metrics[1].metric", "metrics[1].above"),
)


def test_check_names_every_mistake(tmp_path: Path) -> None:
    file = tmp_path / "notify.toml"
    file.write_text(BAD)
    run = peakedex("notify", "--config", file, "--check")
    assert (run.code, run.out) == (MISUSED, "")
    *lines, last = run.err.splitlines()
    assert sorted(line.split(": ")[1] for line in lines) == sorted(MISTAKES)
    assert last == f"Error: {file}: {len(MISTAKES)} mistakes"


@pytest.mark.parametrize("text", ["[", "", "rules = 1", "[targets]\n", "targets = []", "rules = [1]"])
def test_a_file_that_is_none_is_refused_without_a_traceback(text: str, tmp_path: Path) -> None:
    file = tmp_path / "notify.toml"
    file.write_text(text)
    run = peakedex("notify", "--config", file, "--check")
    assert run.code == MISUSED
    assert run.err.count("Error: ") == 1


def test_the_examples_of_the_document_are_valid() -> None:
    """All of them together: they are one file."""
    environ = dict.fromkeys(re.findall(r'_env = "(\w+)"', DOCUMENT), "https://x.test/y")
    environ |= dict.fromkeys(re.findall(r'topic_env = "(\w+)"', DOCUMENT), "dex-3f9a")
    config = read_config("\n".join(EXAMPLES), environ)
    assert {each.type for each in config.targets} == set(TYPES)
    assert config.account_rules
    assert config.price_rules
    assert config.change_rules
    assert config.metrics


def test_the_document_names_every_alarm_event_and_type() -> None:
    for name in (*ALARM_KINDS, *EVENTS, *WHEN, *TYPES, *WINDOWS):
        assert f"`{name}`" in DOCUMENT, name
    for kind, about in ALARM_KINDS.items():
        assert f"| `{kind}` | {about.severity} | {about.after_seconds} |" in DOCUMENT


def test_too_many_accounts_for_a_stream_are_refused() -> None:
    names = ", ".join(f'"account{n}"' for n in range(61))
    text = f'[targets.it]\ntype="webhook"\nurl="https://x.test/"\n[[rules]]\nwhen="fill"\nto="it"\naccounts=[{names}]'
    with pytest.raises(ConfigError, match="61 accounts and pairs"):
        read_config(text, {})


def test_a_test_message_goes_to_each_target_and_failures_name_no_secret(tmp_path: Path) -> None:
    file = tmp_path / "notify.toml"
    with receiver() as server:
        server.always["/gone"] = Answer(404)
        file.write_text(
            f'[targets.good]\ntype = "webhook"\nurl = "{server.url}/good"\n'
            '[targets.bad]\ntype = "discord"\nurl_env = "BAD_URL"\n'
            '[[rules]]\nwhen = "alarm"\nto = ["good", "bad"]\n'
        )
        run = peakedex("notify", "--config", file, "--test", BAD_URL=f"{server.url}/gone")
        assert run.code == FAILED
        assert run.lines == ["good: delivered", "bad: failed: HTTP status 404"]
        assert "/gone" not in run.err
        server.always.clear()
        assert peakedex("notify", "--config", file, "--test", BAD_URL=f"{server.url}/gone").code == OK
        assert server.at("/good")[0].json["kind"] == "test"


def test_one_process_at_a_time_uses_a_state_and_a_broken_one_is_named(tmp_path: Path) -> None:
    file, state = tmp_path / "notify.toml", tmp_path / "state.json"
    file.write_text(
        '[targets.it]\ntype = "webhook"\nurl = "https://x.test/"\n[[rules]]\nwhen = "alarm"\nto = "it"\n'
    )
    words = ("notify", "--config", file, "--api", "http://127.0.0.1:1", "--state", state)
    state.write_text('{"version": 1, "queues": 3}')
    run = peakedex(*words)
    assert run.code == MISUSED
    assert "not a state of notifications" in run.error
    assert peakedex("notify", "--config", file).code == MISUSED  # no API
