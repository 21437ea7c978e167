"""Between the feed and a client: nothing is lost, doubled or overtaken, whoever writes it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from api.stream.subscriber import Listener, Wire
from api.stream.topics import read_topics
from tests.support.waiting import wait_until

TOPICS = read_topics("block")


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """The server's end of a connection, which never waits for long, and the client's."""
    server, client = socket.socketpair()
    server.settimeout(20)
    client.settimeout(20)
    yield server, client
    server.close()
    client.close()


def framed(chunk: bytes) -> bytes:
    return b"%X\r\n%b\r\n" % (len(chunk), chunk)


def serve(listener: Listener, server: socket.socket) -> threading.Thread:
    """What gunicorn does with an answer."""

    def run() -> None:
        for chunk in listener:
            server.sendall(framed(chunk))
        listener.close()
        server.shutdown(socket.SHUT_WR)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def until_sent(listener: Listener) -> None:
    wait_until(lambda: listener._sent == listener._queued, timeout=20, poll=0.001)


def test_the_thread_begins_and_the_feed_goes_on(pair: tuple[socket.socket, socket.socket]) -> None:
    server, client = pair
    listener = Listener(TOPICS, lambda _: None, Wire(server, is_chunked=True))
    assert listener.put(b"first", 0.0)  # the head of the answer is not sent yet
    thread = serve(listener, server)
    until_sent(listener)
    assert client.recv(100) == framed(b"first")
    for chunk in (b"second", b"third"):
        assert not listener.put(chunk, 1.0)
        assert client.recv(100) == framed(chunk)
    listener.end()
    thread.join(20)
    assert client.recv(100) == b""


def test_nothing_overtakes(pair: tuple[socket.socket, socket.socket]) -> None:
    """While the thread has not sent all that waits, everything waits."""
    server, client = pair
    listener = Listener(TOPICS, lambda _: None, Wire(server, is_chunked=True))
    listener.put(b"first", 0.0)
    assert next(listener) == b"first"
    assert listener.put(b"second", 0.0)  # the thread still sends the first
    assert next(listener) == b"second"
    assert listener.put(b"third", 0.0)
    client.setblocking(False)
    with pytest.raises(BlockingIOError):
        client.recv(1)


@pytest.mark.parametrize("is_chunked", [True, False])
def test_what_a_slow_client_does_not_take_at_once(
    pair: tuple[socket.socket, socket.socket], is_chunked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A part is cut anywhere: the thread sends the rest of it before anything else."""
    server, client = pair
    listener = Listener(TOPICS, lambda _: None, Wire(server, is_chunked))
    listener.put(b"first", 0.0)
    thread = threading.Thread(target=lambda: [server.sendall(chunk) for chunk in listener])
    thread.start()
    until_sent(listener)
    write, taken = Wire.write, []

    def writing(wire: Wire, chunk: bytes) -> bytes | None:
        rest = write(wire, chunk)
        if rest is not None:
            taken.append(chunk)  # perhaps in part
        return rest

    monkeypatch.setattr(Wire, "write", writing)
    parts = [b"%d " % number * 50_000 for number in range(20)]
    waits = [listener.put(part, 1.0) for part in parts]
    assert not waits[0]
    assert waits[-1]
    listener._chunks.put(None)  # the end, after all that waits
    wanted = b"first"
    for part in parts:
        wanted += framed(part) if is_chunked and part in taken else part
    got = b""
    while len(got) < len(wanted):
        got += client.recv(1 << 16)
    thread.join(20)
    assert got == wanted


def test_nothing_is_written_once_the_server_is_done(pair: tuple[socket.socket, socket.socket]) -> None:
    """Its number may be another client's by then."""
    server, client = pair
    gone: list[Listener] = []
    listener = Listener(TOPICS, gone.append, Wire(server, is_chunked=True))
    listener.put(b"first", 0.0)
    next(listener)
    listener._sent = listener._queued
    assert not listener.put(b"second", 0.0)
    listener.close()
    assert gone == [listener]
    assert listener.put(b"third", 0.0)
    client.setblocking(False)
    assert client.recv(100) == framed(b"second")
    with pytest.raises(BlockingIOError):
        client.recv(1)


def test_a_connection_on_which_writing_would_wait_is_left_to_the_thread(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    server, _ = pair
    server.settimeout(None)
    assert Wire(server, is_chunked=True).write(b"x") is None
    server.close()
    assert Wire(server, is_chunked=True).write(b"x") is None
