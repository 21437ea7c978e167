"""Opaque paging cursors: a row key, and a checksum of the list, which rejects cursors of other lists."""

from __future__ import annotations

import base64
import binascii
import struct
from typing import Final

from api.http.errors import bad_input

_LAYOUT: Final = struct.Struct(">Iq")


class Cursors:
    """Cursors of one list. `parts` identify it: its path and its filters."""

    def __init__(self, *parts: object) -> None:
        self._checksum = binascii.crc32(repr(parts).encode())

    def write(self, key: int | None) -> str | None:
        if key is None:
            return None
        return base64.urlsafe_b64encode(_LAYOUT.pack(self._checksum, key)).decode()

    def read(self, text: str | None) -> int | None:
        """The row key; None for the first page. Raises ApiError (400) for an invalid cursor."""
        if text is None:
            return None
        try:
            raw = base64.b64decode(text, altchars=b"-_", validate=True)
            checksum, key = _LAYOUT.unpack(raw)
        except (ValueError, struct.error):
            checksum, key = None, 0
        if checksum != self._checksum or key < 1:
            raise bad_input("cursor belongs to another list: omit it to start from the first page.")
        return int(key)
