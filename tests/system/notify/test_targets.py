"""Targets: what each service is sent, that no text in it is more than text, and what failures do."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_string
from email.header import decode_header, make_header
from pathlib import Path

import pytest

from indexer.notify.config.model import Config, TargetSettings
from indexer.notify.config.reader import read_config
from indexer.notify.delivery import Worker
from indexer.notify.message import Notification, notification
from indexer.notify.outbox import Addressed, Outbox
from indexer.notify.state import StateFile
from indexer.notify.targets.factory import make_target
from indexer.notify.targets.http import Poster
from indexer.notify.targets.target import DeliveryError
from indexer.notify.targets.webhook import Webhook
from settlement.net.backoff import Backoff
from tests.support.waiting import wait_until
from tests.system.backup.servers import make_certificate
from tests.system.notify.servers import Answer, MailServer, Receiver, headers_of, receiver

TOKEN = "123456:very-secret"
HOSTILE = (
    "@everyone @here <@123> <!channel> *b* _i_ `c` ```\n``` [x](https://evil.test) <b>bold</b> &amp; /start\r\n"
    "Bcc: thief@evil.test\r\n.\r\n\x00\x1b[31m\u202egnp\u200b \ud800 https://evil.test @user " + "x" * 9_000
)


@pytest.fixture
def server() -> Iterator[Receiver]:
    with receiver() as server:
        yield server


def config(text: str, **environ: str) -> Config:
    return read_config(text + '\n[[rules]]\nwhen = "alarm"\nto = ["it"]\n', environ)


def target(text: str, **environ: str) -> TargetSettings:
    [found] = config(text, **environ).targets
    return found


def hostile() -> Notification:
    fields = {f"memo {n}": HOSTILE for n in range(12)}
    return notification("deposit/1", "deposit", f"alice: {HOSTILE}", fields, "2026-01-01T00:00:00Z")


def is_one_line_a_field(text: str) -> bool:
    """Whether a text has no line but those of the message itself."""
    return all(line.startswith(("memo", "alice", "time", "id", "`")) for line in text.split("\n") if line)


def test_discord_neither_mentions_nor_formats(server: Receiver) -> None:
    where = target('[targets.it]\ntype = "discord"\nurl_env = "URL"', URL=f"{server.url}/hook/{TOKEN}")
    make_target(where).send(hostile())
    [sent] = server.received
    content = sent.json["content"]
    assert sent.json["allowed_mentions"] == {"parse": []}
    assert len(content) <= 2000
    assert content.startswith("```\n")
    assert content.endswith("\n```")
    assert "`" not in content[3:-3]  # nothing ends the code block, in which Discord reads nothing
    assert is_one_line_a_field(content)


def test_telegram_reads_no_markup(server: Receiver) -> None:
    text = f'[targets.it]\ntype = "telegram"\nchat = -100\ntoken_env = "T"\napi = "{server.url}"'
    make_target(target(text, T=TOKEN)).send(hostile())
    [sent] = server.at(f"/bot{TOKEN}/sendMessage")
    assert "parse_mode" not in sent.json
    units = len(sent.json["text"].encode("utf-16-le")) // 2
    assert units <= 4096
    assert sent.json["entities"] == [{"type": "pre", "offset": 0, "length": units}]
    assert is_one_line_a_field(sent.json["text"])


def test_ntfy_gets_texts_as_json_and_no_headers(server: Receiver) -> None:
    text = f'[targets.it]\ntype = "ntfy"\nurl = "{server.url}"\ntopic = "dex"\ntoken_env = "T"'
    make_target(target(text, T=TOKEN)).send(hostile())
    [sent] = server.received
    assert sent.json["topic"] == "dex"
    assert len(sent.json["message"].encode()) <= 4096
    assert "markdown" not in sent.json
    assert sent.headers["Authorization"] == f"Bearer {TOKEN}"
    assert "evil" not in str(sent.headers)
    assert is_one_line_a_field(sent.json["message"])


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_mail_has_one_subject_and_goes_over_tls(security: str, tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path / "certificate.pem")
    server = MailServer(certificate, starttls=security == "starttls")
    text = f"""[targets.it]
type = "email"
server = "localhost"
port = {server.port}
security = "{security}"
from = "dex@example.com"
to = ["ops@example.com", "two@example.com"]
user = "dex"
password_env = "P"
"""
    trusted = target(f'{text}ca_file = "{certificate}"\n', P=TOKEN)
    try:
        make_target(trusted).send(hostile())
        make_target(trusted).send(hostile())
        with pytest.raises(DeliveryError, match="certificate is not trusted"):
            make_target(target(text, P=TOKEN)).send(hostile())
        assert len(server.logins) == 2  # nobody logs in at a server that is not trusted
        assert len(server.mails) == 2
        server.refusals += ["451 later"]
        with pytest.raises(DeliveryError, match="451"):
            make_target(trusted).send(hostile())
    finally:
        server.close()
    first, second = map(headers_of, server.mails)
    assert first["Message-ID"] == second["Message-ID"]  # mail programs show one of them
    assert set(first) == {
        *("Subject", "From", "To", "Date", "Message-ID", "Auto-Submitted", "MIME-Version"),
        *("Content-Type", "Content-Transfer-Encoding"),
    }
    mail = message_from_string(server.mails[0])
    assert str(make_header(decode_header(mail["Subject"]))).startswith("[Peake DEX] alice: @everyone")
    body = mail.get_payload(decode=True)
    assert isinstance(body, bytes)
    assert is_one_line_a_field(body.decode().replace("\r\n", "\n"))


# ---------------------------------------------------------------- failures


class Clock(threading.Event):
    """A stop event whose waits end at once and are written down; `monotonic` is the time that they would take."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        if timeout:
            self.waits.append(timeout)
        return self.is_set()

    def monotonic(self) -> float:
        return sum(self.waits)


def messages(count: int) -> list[Addressed]:
    made = [notification(f"m/{n}", "fill", f"number {n}", {}, "2026-01-01T00:00:00Z") for n in range(count)]
    return [Addressed(each, ("it",)) for each in made]


@contextmanager
def working(where: TargetSettings, outbox: Outbox, clock: Clock) -> Iterator[None]:
    worker = Worker(
        where, make_target(where), outbox, clock, backoff=Backoff(1.0, 8.0), monotonic=clock.monotonic
    )
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        yield
    finally:
        clock.set()
        thread.join(60)
    assert not thread.is_alive()


def test_retries_wait_longer_and_as_long_as_the_service_asks(
    server: Receiver, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    where = target('[targets.it]\ntype = "discord"\nurl_env = "URL"', URL=f"{server.url}/{TOKEN}")
    outbox, clock = Outbox(StateFile(tmp_path / "state.json"), {"it": 100}), Clock()
    server.script[f"/{TOKEN}"] = deque(
        [
            Answer(500),
            Answer(503),
            Answer(429, {"Retry-After": "70"}, b'{"retry_after": 70.5}'),
            Answer(429, {}, b'{"parameters": {"retry_after": 90}}'),
            Answer(429, {"Retry-After": "soon"}, b"["),
            Answer(302, {"Location": "/elsewhere"}),
        ]
    )
    outbox.commit(lambda _: messages(2))
    with caplog.at_level(logging.INFO), working(where, outbox, clock):
        wait_until(lambda: not outbox.state.queues["it"].pending, "all messages")
    assert [round(each, 1) for each in clock.waits] == [1.0, 2.0, 70.5, 90.0, 8.0, 8.0, 2.0]
    assert server.at("/elsewhere") == []  # a redirection is not followed with the secret
    assert TOKEN not in caplog.text
    assert "target it receives messages again" in caplog.text


def test_a_message_that_is_refused_is_dropped_and_the_target_is_told(
    server: Receiver, tmp_path: Path
) -> None:
    where = target(f'[targets.it]\ntype = "webhook"\nurl = "{server.url}/it"')
    outbox, clock = Outbox(StateFile(tmp_path / "state.json"), {"it": 100}), Clock()
    server.script["/it"] = deque([Answer(400)] * 3)
    outbox.commit(lambda _: messages(2))
    with working(where, outbox, clock):
        wait_until(lambda: "m/1" in outbox.state.queues["it"].delivered, "the next message")
    assert server.ids("/it")[:3] == ["m/0"] * 3
    assert [each.json["title"] for each in server.at("/it")[3:]] == ["1 notification dropped", "number 1"]


def test_a_full_queue_says_how_many_it_dropped_and_keeps_alarms(server: Receiver, tmp_path: Path) -> None:
    where = target(f'[targets.it]\ntype = "webhook"\nurl = "{server.url}/it"\nqueue = 10')
    outbox, clock = Outbox(StateFile(tmp_path / "state.json"), {"it": where.queue}), Clock()
    alarm = notification("alarm/down/1", "alarm", "down", {}, "2026-01-01T00:00:00Z", "critical")
    outbox.commit(lambda _: [Addressed(alarm, ("it",)), *messages(20)])
    with working(where, outbox, clock):
        wait_until(lambda: not outbox.state.queues["it"].pending, "the queue")
    titles = [each.json["title"] for each in server.at("/it")]
    assert titles == ["down", "11 notifications dropped", *(f"number {n}" for n in range(11, 20))]


def test_what_was_queued_or_delivered_is_known_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    outbox = Outbox(StateFile(path), {"it": 100})
    assert outbox.commit(lambda _: messages(3)) == 3
    outbox.delivered("it", messages(1)[0].notification)
    (tmp_path / "copy.json").write_bytes(path.read_bytes())
    again = Outbox(StateFile(tmp_path / "copy.json"), {"it": 100})
    assert [each.id for each in again.state.queues["it"].pending] == ["m/1", "m/2"]
    assert again.commit(lambda _: messages(4)) == 1
    assert path.stat().st_mode & 0o777 == 0o600


def test_an_answer_that_never_comes_ends_at_the_deadline(server: Receiver) -> None:
    server.always["/it"] = Answer(before=server.hang)
    with pytest.raises(DeliveryError, match="no answer in time"):
        Webhook(f"{server.url}/it", None, Poster(total_seconds=0.3)).send(hostile())
