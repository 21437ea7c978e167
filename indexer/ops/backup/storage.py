"""Backup storage: a folder on this machine, on an FTP(S) or SFTP server, or in an S3 bucket (fsspec).

Credentials are passed separately, because URLs appear in logs and errors. Servers are authenticated by a
certificate or a known host key.
"""

from __future__ import annotations

import ftplib
import os
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, NoReturn
from urllib.parse import SplitResult, unquote, urlsplit

from fsspec.implementations.ftp import FTPFileSystem
from fsspec.implementations.local import LocalFileSystem

from indexer.sources.evidence import sha256_of

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

_TIMEOUT_SECONDS: Final = 60
_REPLY_SECONDS: Final = 5
_KINDS: Final = "a folder, ftp://, ftps://, sftp:// or s3://"


class StorageError(RuntimeError):
    """The storage cannot be used, or failed. The text contains its URL, never a password."""


class Credentials(NamedTuple):
    """Credentials of a storage, from the variables in docs/operator.md. S3 uses those of AWS."""

    user: str | None = None
    password: str | None = None
    key_file: str | None = None
    known_hosts: str | None = None
    ca_file: str | None = None


class Storage:
    """A remote folder of files. A file that was put is complete only after it was renamed."""

    def __init__(self, shown: str, opened: _Opened, secret: str) -> None:
        self._shown = shown
        self._fs = opened.fs
        self._folder = opened.folder
        self._errors = opened.errors
        self._secret = secret

    def names(self) -> dict[str, int]:
        """The files and their sizes in bytes."""
        with self._storage_errors("its files cannot be listed"):
            self._fs.invalidate_cache()
            try:
                found = self._fs.ls(self._folder, detail=True)
            except FileNotFoundError:
                if "s3" in self._fs.protocol:
                    return {}  # nothing was put yet
                raise
        return {
            str(each["name"]).rstrip("/").rsplit("/", 1)[-1]: int(each["size"] or 0)
            for each in found
            if each["type"] == "file"
        }

    def put(self, path: Path, name: str) -> None:
        """Upload a file."""
        with self._storage_errors(f"{name} cannot be written"):
            self._fs.put_file(str(path), self._at(name))

    def get(self, name: str, path: Path) -> None:
        """Download a file."""
        with self._storage_errors(f"{name} cannot be read"):
            self._fs.get_file(self._at(name), str(path))

    def rename(self, name: str, new_name: str) -> None:
        """Rename a file; the new name must not exist."""
        with self._storage_errors(f"{name} cannot be renamed"):
            self._fs.mv(self._at(name), self._at(new_name))

    def replace(self, name: str, new_name: str) -> None:
        """Rename a file over another one: at once where the storage can, else after deleting that one."""
        try:
            self.rename(name, new_name)
        except StorageError:
            if new_name not in self.names():
                raise
            self.delete(new_name)
            self.rename(name, new_name)

    def delete(self, name: str) -> None:
        """Delete a file."""
        with self._storage_errors(f"{name} cannot be deleted"):
            self._fs.rm_file(self._at(name))

    def _at(self, name: str) -> str:
        return f"{self._folder.rstrip('/')}/{name}"

    @contextmanager
    def _storage_errors(self, what: str) -> Iterator[None]:
        try:
            yield
        except self._errors as error:
            _raise_storage_error(f"{self._shown}: {what}", error, self._secret)


def _raise_storage_error(what: str, error: Exception, secret: str) -> NoReturn:
    """Raise StorageError in one line, without the password even if the server repeats it."""
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    reason = " ".join(reason.split()) or type(error).__name__
    if isinstance(error, FileNotFoundError):
        reason = f"no such file or folder: {reason}"
    raise StorageError(f"{what}: {reason.replace(secret, '…') if secret else reason}") from None


def upload(storage: Storage, path: Path, name: str) -> None:
    """Put a file into a storage, read it back and compare. Raises StorageError."""
    copy = path.with_suffix(".copy")
    try:
        storage.put(path, name)
        storage.get(name, copy)
        if sha256_of(copy) != sha256_of(path):
            raise StorageError(f"{name} differs from the uploaded file: the storage damaged it")
    finally:
        copy.unlink(missing_ok=True)


@contextmanager
def open_storage(url: str, credentials: Credentials) -> Iterator[Storage]:
    """The storage of a URL or a folder's path. Raises StorageError."""
    if not url.strip():
        raise StorageError(f"no place is named: backup storage must be {_KINDS}")
    try:
        split = urlsplit(url) if "://" in url else SplitResult("file", "", os.path.abspath(url), "", "")
    except ValueError as error:
        raise StorageError(f"{url} is not a URL: {error}") from None
    if split.password is not None:
        raise StorageError(
            "remove the password from the URL, which appears in logs: use PEAKEDEX_BACKUP_PASSWORD"
        )
    opener = _OPENERS.get(split.scheme)
    if opener is None or split.query or split.fragment:
        raise StorageError(f"{url}: backup storage must be {_KINDS}")
    secret = credentials.password or ""
    try:
        opened = opener(split, credentials)
    except ImportError:
        raise StorageError(
            f"{url}: {split.scheme} needs further packages: pip install 'peakedex[backup]'"
        ) from None
    except (ValueError, OSError, EOFError, ftplib.Error) as error:
        _raise_storage_error(f"{url}: cannot be reached", error, secret)
    try:
        yield Storage(url, opened, secret)
    finally:
        with suppress(*opened.errors):
            opened.close()


class _Opened(NamedTuple):
    fs: AbstractFileSystem
    folder: str
    errors: tuple[type[Exception], ...]
    close: Callable[[], object] = lambda: None


def _folder(url: SplitResult, _: Credentials) -> _Opened:
    if url.netloc:
        raise ValueError("a file URL has three slashes: file:///srv/backups")
    return _Opened(_SyncedFileSystem(skip_instance_cache=True), unquote(url.path), (OSError,))


class _SyncedFileSystem(LocalFileSystem):  # type: ignore[misc]
    """Local file system that syncs files to disk."""

    def put_file(self, lpath: str, rpath: str, **options: Any) -> None:
        super().put_file(lpath, rpath, **options)
        with Path(rpath).open("rb") as file:
            os.fsync(file.fileno())


# -- FTP --------------------------------------------------------------------------------------------


def _ftp(url: SplitResult, credentials: Credentials) -> _Opened:
    context = None
    if url.scheme == "ftps":
        context = ssl.create_default_context(cafile=credentials.ca_file)
    user = unquote(url.username) if url.username else credentials.user
    fs = _Ftp(
        context,
        host=_host(url),
        port=url.port or ftplib.FTP_PORT,
        username=user,
        password=credentials.password,
        timeout=_TIMEOUT_SECONDS,
        skip_instance_cache=True,
    )
    return _Opened(fs, unquote(url.path) or "/", (OSError, EOFError, ftplib.Error), fs.close)


class _Ftp(FTPFileSystem):  # type: ignore[misc]
    """FTP, with TLS on both connections if a context is given."""

    def __init__(self, context: ssl.SSLContext | None, **options: Any) -> None:
        self._context = context
        super().__init__(**options)

    def _connect(self) -> None:
        if self._context is None:
            self.ftp = ftplib.FTP(timeout=self.timeout, encoding=self.encoding)
        else:
            self.ftp = _FtpTls(timeout=self.timeout, encoding=self.encoding, context=self._context)
        self.ftp.connect(self.host, self.port)
        self.ftp.login(*self.cred)
        if isinstance(self.ftp, _FtpTls):
            self.ftp.prot_p()

    def close(self) -> None:
        """Close the control connection."""
        self.ftp.close()

    def put_file(self, lpath: str, rpath: str, **_: Any) -> None:
        """Upload in one transfer: fsspec sends blocks with REST, which not every server supports."""
        with Path(lpath).open("rb") as file, self._transfer(f"STOR {rpath}") as connection:
            connection.sendfile(file)
        self.invalidate_cache(self._parent(rpath))

    def get_file(self, rpath: str, lpath: str, **_: Any) -> None:
        with Path(lpath).open("wb") as file, self._transfer(f"RETR {rpath}") as connection:
            while block := connection.recv(self.blocksize):
                file.write(block)

    @contextmanager
    def _transfer(self, command: str) -> Iterator[socket.socket]:
        """Data connection of a command."""
        self.ftp.voidcmd("TYPE I")
        connection = self.ftp.transfercmd(command)
        try:
            with connection:
                yield connection
                if isinstance(connection, ssl.SSLSocket):
                    connection.unwrap()
        except OSError as error:
            reply = self._reply_after_failure()
            if reply is not None and isinstance(error, ConnectionError | ssl.SSLError):
                raise reply from None  # it says why the connection has ended
            raise
        self.ftp.voidresp()

    def _reply_after_failure(self) -> ftplib.Error | None:
        """The reply after a transfer that failed, which the next command would take for its own.

        Some servers send none: then a new connection is made.
        """
        control = self.ftp.sock
        assert control is not None
        reply = None
        try:
            control.settimeout(_REPLY_SECONDS)
            self.ftp.voidresp()
            control.settimeout(self.timeout)
        except ftplib.Error as error:
            control.settimeout(self.timeout)
            reply = error
        except (OSError, EOFError):
            self.ftp.close()
            self._connect()
        return reply

    def rm_file(self, path: str) -> None:
        self.ftp.delete(path)


class _FtpTls(ftplib.FTP_TLS):
    """FTP over TLS that reuses the TLS session for data connections, as many servers require."""

    def ntransfercmd(self, cmd: str, rest: int | str | None = None) -> tuple[socket.socket, int | None]:
        connection, size = ftplib.FTP.ntransfercmd(self, cmd, rest)
        session = self.sock.session if isinstance(self.sock, ssl.SSLSocket) else None
        return self.context.wrap_socket(connection, server_hostname=self.host, session=session), size


# -- SFTP -------------------------------------------------------------------------------------------


def _sftp(url: SplitResult, credentials: Credentials) -> _Opened:
    import paramiko  # noqa: PLC0415
    from fsspec.implementations.sftp import SFTPFileSystem  # noqa: PLC0415

    class Sftp(SFTPFileSystem):  # type: ignore[misc]
        """SFTP that accepts known host keys only; fsspec accepts any."""

        def _connect(self) -> None:
            self.client = paramiko.SSHClient()
            self.client.load_system_host_keys(credentials.known_hosts)
            self.client.set_missing_host_key_policy(paramiko.RejectPolicy())
            self.client.connect(self.host, **self.ssh_kwargs)
            self.ftp = self.client.open_sftp()
            self.ftp.get_channel().settimeout(_TIMEOUT_SECONDS)

    options = {
        "port": url.port or 22,
        "username": unquote(url.username) if url.username else credentials.user,
        "password": credentials.password,
        "key_filename": credentials.key_file,
        **dict.fromkeys(("timeout", "banner_timeout", "auth_timeout"), _TIMEOUT_SECONDS),
    }
    try:
        fs = Sftp(_host(url), skip_instance_cache=True, **options)
    except paramiko.SSHException as error:
        raise OSError(str(error)) from None
    folder = unquote(url.path) or "/"
    folder = folder.removeprefix("/~/") if folder.startswith("/~/") else folder
    return _Opened(fs, folder, (OSError, EOFError, paramiko.SSHException), fs.client.close)


# -- S3 ---------------------------------------------------------------------------------------------


def _s3(url: SplitResult, _: Credentials) -> _Opened:
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415
    from s3fs import S3FileSystem  # noqa: PLC0415

    if not url.netloc:
        raise ValueError("the bucket is missing, as in s3://bucket/folder")
    fs = S3FileSystem(
        anon=False,
        skip_instance_cache=True,
        use_listings_cache=False,
        config_kwargs={
            "connect_timeout": _TIMEOUT_SECONDS / 4,
            "read_timeout": _TIMEOUT_SECONDS,
            "retries": {"max_attempts": 3},
        },
    )
    return _Opened(fs, f"{url.netloc}{unquote(url.path)}", (OSError, BotoCoreError, ClientError))


def _host(url: SplitResult) -> str:
    if not url.hostname:
        raise ValueError(f"the server is missing, as in {url.scheme}://server/folder")
    return url.hostname


_OPENERS: Final[dict[str, Callable[[SplitResult, Credentials], _Opened]]] = {
    "file": _folder,
    "ftp": _ftp,
    "ftps": _ftp,
    "sftp": _sftp,
    "s3": _s3,
}
