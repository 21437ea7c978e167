"""Opaque cursors: a key of the list and a mark of which list it is, so that none is used on another."""

from __future__ import annotations

import base64
import binascii
import struct
from typing import Final

from api.http.errors import bad_input

_LAYOUT: Final = struct.Struct(">Iq")


class Cursors:
    """The cursors of one list: `parts` are its path and all that filters it."""

    def __init__(self, *parts: object) -> None:
        self._mark = binascii.crc32(repr(parts).encode())

    def write(self, key: int | None) -> str | None:
        if key is None:
            return None
        return base64.urlsafe_b64encode(_LAYOUT.pack(self._mark, key)).decode()

    def read(self, text: str | None) -> int | None:
        """The key; None for the first page. Raises ApiError (400) for what `write` did not make."""
        if text is None:
            return None
        try:
            raw = base64.b64decode(text, altchars=b"-_", validate=True)
            mark, key = _LAYOUT.unpack(raw)
        except (ValueError, struct.error):
            mark, key = None, 0
        if mark != self._mark or key < 1:
            raise bad_input("cursor belongs to another list: leave it out to start from the top.")
        return int(key)
