"""Journal of signed transactions: written to disk before they are sent, so that a restart finds them again.

A text file, one JSON object a line: `signed` with the very bytes that are sent, and `end` with what became of
them. It contains no key. One process at a time may use it.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TextIO

from peakedex.client.errors import JournalError
from peakedex.client.intents import Intent

KEEP: Final = 2000
"""Ended transactions that stay, so that their refs are known without asking the venue."""


@dataclass(slots=True)
class Signed:
    """A signed transaction, and its end once it is known."""

    id: str  # transaction id
    account: str  # the signer
    expires: int  # Unix seconds
    intents: tuple[Intent, ...]
    body: dict[str, Any]  # as broadcast
    end: list[dict[str, Any]] | None = None  # for each intent, see Ticket

    def element_id(self, index: int) -> str:
        """The venue's id of one intent."""
        return self.id if len(self.intents) == 1 else f"{self.id}-{index}"


class Journal:
    """The journal file of one account. The file and `transactions` have at most twice `keep` ended ones."""

    def __init__(self, path: str | os.PathLike[str], account: str, keep: int = KEEP) -> None:
        """Open or create it. Raises JournalError if another process uses it, or it is damaged."""
        self._path = Path(path)
        self._account = account
        self._keep = keep
        try:
            # A file beside it is locked: the journal itself is replaced when it is compacted.
            self._lock = self._path.with_name(f"{self._path.name}.lock").open("a")
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.transactions = self._load()
            self._ended = sum(each.end is not None for each in self.transactions.values())
            self._compact()
            self._file: TextIO = self._path.open("a", encoding="utf-8")
            _sync_folder(self._path.parent)
        except BlockingIOError:
            raise JournalError(
                f"{self._path}: another process uses it; each bot needs a file of its own"
            ) from None
        except OSError as error:
            raise JournalError(f"{self._path}: {error.strerror}; choose a file that you may write") from None

    def signed(self, transaction: Signed) -> None:
        """Record a transaction; it is on disk when this returns. Raises JournalError: it must not be sent."""
        self._write({"signed": _dump(transaction)})
        self.transactions[transaction.id] = transaction

    def ended(self, transaction: Signed, end: list[dict[str, Any]]) -> list[Signed]:
        """Record what became of a transaction; those that are forgotten for it. Raises JournalError."""
        self._write({"end": transaction.id, "intents": end})
        transaction.end = end
        self._ended += 1
        if self._ended <= 2 * self._keep:
            return []
        self._file.close()
        forgotten = self._compact()
        self._file = self._path.open("a", encoding="utf-8")
        return forgotten

    def close(self) -> None:
        """Close the file and free it for another process."""
        self._file.close()
        self._lock.close()

    def _write(self, record: Mapping[str, object]) -> None:
        try:
            self._file.write(_line(record))
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise JournalError(f"{self._path}: {error.strerror}; nothing was sent") from None

    def _load(self) -> dict[str, Signed]:
        found: dict[str, Signed] = {}
        if not self._path.exists():
            return found
        text = self._path.read_bytes()
        whole, newline, _ = text.rpartition(b"\n")
        # A last line without an end was being written when the process died: it was not sent yet.
        if len(whole) + len(newline) < len(text):
            os.truncate(self._path, len(whole) + len(newline))
        for number, line in enumerate(whole.split(b"\n") if newline else (), 1):
            try:
                self._take(json.loads(line), found)
            except (KeyError, TypeError, ValueError, RecursionError):
                raise JournalError(
                    f"{self._path}, line {number}: not a line of a journal; move the file away and check the "
                    "account's open orders before you go on"
                ) from None
        return found

    def _take(self, record: dict[str, Any], found: dict[str, Signed]) -> None:
        if "signed" not in record:
            found[record["end"]].end = list(record["intents"])
            return
        raw = record["signed"]
        if raw["account"] != self._account:
            raise JournalError(
                f"{self._path}: belongs to {raw['account']}, not {self._account}; use another file"
            )
        intents = tuple(Intent(one["action"], one["payload"]) for one in raw["intents"])
        found[raw["id"]] = Signed(raw["id"], raw["account"], int(raw["expires"]), intents, raw["body"])

    def _compact(self) -> list[Signed]:
        """Forget the oldest ended ones, and write the others into a new file."""
        if self._ended <= 2 * self._keep:
            return []
        ended = [each for each in self.transactions.values() if each.end is not None]
        forgotten = ended[: -self._keep]
        for transaction in forgotten:
            del self.transactions[transaction.id]
        self._ended = self._keep
        fresh = self._path.with_name(f"{self._path.name}.new")
        with fresh.open("w", encoding="utf-8") as file:
            file.writelines(self._lines())
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._path)
        _sync_folder(self._path.parent)
        return forgotten

    def _lines(self) -> Iterator[str]:
        for transaction in self.transactions.values():
            yield _line({"signed": _dump(transaction)})
            if transaction.end is not None:
                yield _line({"end": transaction.id, "intents": transaction.end})


def _sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _dump(transaction: Signed) -> dict[str, object]:
    return {
        "id": transaction.id,
        "account": transaction.account,
        "expires": transaction.expires,
        "intents": [{"action": one.action, "payload": dict(one.payload)} for one in transaction.intents],
        "body": transaction.body,
    }


def _line(record: Mapping[str, object]) -> str:
    return json.dumps(record, separators=(",", ":")) + "\n"
