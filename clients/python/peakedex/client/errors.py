"""Errors of the client: each is one line that names what is wrong and what to do."""

from __future__ import annotations

from typing import Final

_SHOWN_CHARACTERS: Final = 300


class ClientError(Exception):
    """Base of all errors of the client. Nothing was sent, unless a subclass says otherwise."""

    def __init__(self, text: object) -> None:
        super().__init__(one_line(str(text)))


class InputError(ClientError, ValueError):
    """A value of the caller that no venue would accept. `field` names it."""

    def __init__(self, field: str, text: str) -> None:
        super().__init__(f"{field}: {text}")
        self.field = field


class ReferenceUsed(InputError):
    """A `ref` that another intent of this account has already. Nothing was signed."""

    def __init__(self, text: str) -> None:
        super().__init__("ref", text)


class KeyMissing(ClientError):
    """There is no usable private key. The text never contains one."""


class SigningFailed(ClientError):
    """Nothing was signed."""


class JournalError(ClientError):
    """The journal of signed transactions cannot be used: without it nothing is signed."""


class ConnectionFailed(ClientError):
    """A server did not answer, or not in time: a reading may be repeated."""


class ApiError(ClientError):
    """The read API answered with an error. `code` is that of docs/api.md, `status` the HTTP status."""

    def __init__(self, text: str, status: int, code: str, retry_after: float | None = None) -> None:
        super().__init__(text)
        self.status = status
        self.code = code
        self.retry_after = retry_after

    @property
    def is_temporary(self) -> bool:
        """Whether the same request may succeed later."""
        return self.status == 429 or self.status >= 500


class NodeRefused(ClientError):
    """A Hive node answered with an error. `text` is the node's own."""

    def __init__(self, url: str, text: str) -> None:
        super().__init__(f"{url}: {text}")
        self.text = one_line(text)


class NodesFailed(ClientError):
    """No Hive node gave a usable answer."""


def one_line(text: str) -> str:
    """Text of another party as one printable line, shortened."""
    printable = "".join(letter if letter.isprintable() else " " for letter in text[: 2 * _SHOWN_CHARACTERS])
    return " ".join(printable.split())[:_SHOWN_CHARACTERS]
