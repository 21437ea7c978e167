"""Server-Sent Events: message format (WHATWG HTML, section 9.2)."""

from __future__ import annotations

from typing import Final

RETRY: Final = b"retry: 2000\n\n"
PING: Final = b": ping\n\n"


def event(name: str, data: bytes, event_id: str | None = None) -> bytes:
    """One message. `data` is JSON without newlines."""
    id_line = b"" if event_id is None else b"id: %b\n" % event_id.encode()
    return b"event: %b\n%bdata: %b\n\n" % (name.encode(), id_line, data)
