"""Where evidence is fetched from: a folder, or any web server that serves one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Final, Protocol

from indexer.sources.evidence import MANIFEST, MAX_MANIFEST_BYTES
from indexer.sources.source import SourceError
from settlement.net.http_client import HttpClient, HttpError, Limits, NoAnswer, StatusError, Stream
from settlement.net.node_urls import split_http_url

LIMITS: Final = Limits(
    connect_seconds=10.0, read_seconds=30.0, total_seconds=600.0, max_bytes=MAX_MANIFEST_BYTES
)
_CHUNK_BYTES: Final = 1 << 18
_TEMPORARY: Final = (
    *(HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.INTERNAL_SERVER_ERROR),
    *(HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT),
)
_REDIRECTIONS: Final = range(300, 400)


class Interrupted(Exception):
    """The origin does not answer, or broke off: asking again may help."""


class Gone(SourceError):
    """A file is not there: it was replaced by a longer one since the manifest was read, or never was."""


class Origin(Protocol):
    """Place with evidence. Its content is untrusted."""

    def manifest(self) -> bytes:
        """The manifest's text. Raises SourceError and Interrupted."""
        ...

    def file(self, name: str, offset: int) -> AbstractContextManager[Stream]:
        """A file's content from an offset on. Raises SourceError and Interrupted."""
        ...


class FolderOrigin:
    """A folder on this machine."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def manifest(self) -> bytes:
        path = self._folder / MANIFEST
        if not path.is_file():
            raise SourceError(f"{path}: no such file: is it a folder of `peakedex publish`?")
        try:
            with path.open("rb") as file:
                return file.read(MAX_MANIFEST_BYTES + 1)
        except OSError as error:
            raise SourceError(f"{path}: {error.strerror}") from None

    @contextmanager
    def file(self, name: str, offset: int) -> Iterator[Stream]:
        path = self._folder / name
        if not path.is_file():
            raise Gone(f"{path}: no such file")
        try:
            with path.open("rb") as file:
                file.seek(offset)
                yield Stream(offset, iter(lambda: file.read(_CHUNK_BYTES), b""))
        except OSError as error:
            raise SourceError(f"{path}: {error.strerror}") from None


class HttpOrigin:
    """A static web server."""

    def __init__(self, url: str, limits: Limits = LIMITS) -> None:
        """Raises SourceError for what is no URL of a folder."""
        parts = split_http_url(url)
        if parts is None or parts.query or parts.fragment:
            raise SourceError(f"{url!a} is not a folder's URL: write https://HOST/FOLDER")
        self._url = url.rstrip("/")
        self._http = HttpClient(limits, {"Accept-Encoding": "identity", "User-Agent": "peakedex"})

    def manifest(self) -> bytes:
        with _reported():
            return self._http.get(f"{self._url}/{MANIFEST}").body

    @contextmanager
    def file(self, name: str, offset: int) -> Iterator[Stream]:
        with _reported(), self._http.stream(f"{self._url}/{name}", offset) as stream:
            yield stream


@contextmanager
def _reported() -> Iterator[None]:
    """Sort the errors of HTTP by what to do about them."""
    try:
        yield
    except StatusError as error:
        if error.status in _TEMPORARY:
            raise Interrupted(str(error)) from None
        if error.status in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE):
            raise Gone(str(error)) from None
        hint = ": redirections are not followed, give the address it leads to"
        raise SourceError(f"{error}{hint if error.status in _REDIRECTIONS else ''}") from None
    except NoAnswer as error:
        raise Interrupted(str(error)) from None
    except HttpError as error:
        raise SourceError(str(error)) from None


def open_origin(place: str) -> Origin:
    """The origin at a URL or path. Raises SourceError."""
    if place.startswith(("http://", "https://")):
        return HttpOrigin(place)
    if "://" in place:
        raise SourceError(f"{place}: evidence is fetched from https://, http:// or a folder")
    return FolderOrigin(Path(place))
