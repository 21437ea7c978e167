"""Loopback servers with files in a folder: FTP, FTPS, SFTP and S3."""

from __future__ import annotations

import errno
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

USER, PASSWORD = "backup", "s3cret-pass word"
KINDS: Final = ("folder", "ftp", "ftps", "sftp", "s3")


@dataclass
class Server:
    """Where it is, what opens it (environment variables), its folder, and what it does wrong just now.

    `faults`: `full` (no room after some bytes), `drops` (the connection ends after some bytes), `loses` (the
    end of each file).
    """

    url: str
    environment: dict[str, str]
    folder: Path
    faults: set[str] = field(default_factory=set)

    def names(self) -> list[str]:
        """The stored files."""
        return sorted(path.name for path in self.folder.iterdir())


def _cut_already() -> None:
    raise OSError(errno.EPIPE, "Broken pipe")


class _Faulty:
    """A file with the server's faults."""

    def __init__(self, file: Any, server: Server, drop: Any) -> None:
        self._file, self._server, self._drop, self._left = file, server, drop, 20_000

    def write(self, content: bytes) -> int:
        self._left -= len(content)
        if self._left < 0 and "full" in self._server.faults:
            raise OSError(errno.ENOSPC, "No space left on device")
        if self._left < 0 and "drops" in self._server.faults:
            self._drop()
            self._drop = _cut_already  # writes that have arrived must not cut the next connection
        if "loses" in self._server.faults:
            self._file.write(content[:-1])
            return len(content)
        return int(self._file.write(content))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


# -- FTP --------------------------------------------------------------------------------------------


@contextmanager
def ftp(folder: Path, certificate: Path | None = None) -> Iterator[Server]:
    """An FTP server; with a certificate, it requires TLS on both connections."""
    from pyftpdlib.authorizers import DummyAuthorizer
    from pyftpdlib.filesystems import AbstractedFS
    from pyftpdlib.handlers import FTPHandler, TLS_FTPHandler
    from pyftpdlib.servers import ThreadedFTPServer

    class Files(AbstractedFS):
        def open(self, filename: str, mode: str) -> Any:
            found = super().open(filename, mode)
            if "w" not in mode or not server.faults:
                return found
            return _Faulty(found, server, self._cut)

        def _cut(self) -> None:
            self.cmd_channel.data_channel.socket.shutdown(socket.SHUT_RDWR)
            self.cmd_channel.socket.shutdown(socket.SHUT_RDWR)

    authorizer = DummyAuthorizer()
    authorizer.add_user(USER, PASSWORD, str(folder), perm="elradfmw")
    base = FTPHandler if certificate is None else TLS_FTPHandler
    settings: dict[str, Any] = {"authorizer": authorizer, "abstracted_fs": Files, "auth_failed_timeout": 0}
    if certificate is not None:
        settings |= {"certfile": str(certificate), "tls_control_required": True, "tls_data_required": True}
    handler = type("Handler", (base,), settings)
    listening = ThreadedFTPServer(("127.0.0.1", 0), handler)
    scheme, name = ("ftp", "127.0.0.1") if certificate is None else ("ftps", "localhost")
    environment = {"PEAKEDEX_BACKUP_USER": USER, "PEAKEDEX_BACKUP_PASSWORD": PASSWORD}
    if certificate is not None:
        environment["PEAKEDEX_BACKUP_CA_FILE"] = str(certificate)
    server = Server(f"{scheme}://{name}:{listening.address[1]}/", environment, folder)
    thread = threading.Thread(target=listening.serve_forever, kwargs={"handle_exit": False}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        listening.close_all()
        thread.join(5)


def make_certificate(path: Path) -> Path:
    """A self-signed certificate of localhost and its key, in one file."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=10))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    return path


# -- SFTP -------------------------------------------------------------------------------------------


@contextmanager
def sftp(folder: Path, known_hosts: Path) -> Iterator[Server]:
    """An SFTP server, whose key is in the known hosts file."""
    import paramiko

    key = paramiko.ECDSAKey.generate()
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    known_hosts.write_text(f"[127.0.0.1]:{port} {key.get_name()} {key.get_base64()}\n")
    transports: list[Any] = []

    class Door(paramiko.ServerInterface):
        def check_auth_password(self, username: str, password: str) -> int:
            right = (username, password) == (USER, PASSWORD)
            return int(paramiko.AUTH_SUCCESSFUL if right else paramiko.AUTH_FAILED)

        def check_channel_request(self, kind: str, chanid: int) -> int:
            return int(paramiko.OPEN_SUCCEEDED)

        def get_allowed_auths(self, username: str) -> str:
            return "password"

    class Files(paramiko.SFTPServerInterface):
        def _at(self, path: str) -> Path:
            return folder / path.lstrip("/")

        def list_folder(self, path: str) -> Any:
            try:
                found = sorted(self._at(path).iterdir())
            except OSError as error:
                return paramiko.SFTPServer.convert_errno(error.errno)
            return [paramiko.SFTPAttributes.from_stat(each.stat(), each.name) for each in found]

        def stat(self, path: str) -> Any:
            try:
                return paramiko.SFTPAttributes.from_stat(self._at(path).stat())
            except OSError as error:
                return paramiko.SFTPServer.convert_errno(error.errno)

        lstat = stat

        def open(self, path: str, flags: int, attr: Any) -> Any:
            try:
                file = os.fdopen(
                    os.open(self._at(path), flags, 0o644), "r+b" if flags & os.O_WRONLY else "rb", 0
                )
            except OSError as error:
                return paramiko.SFTPServer.convert_errno(error.errno)
            handle = _Handle(flags)
            handle.readfile, handle.writefile = file, _Faulty(file, server, _cut) if server.faults else file
            return handle

        def rename(self, old: str, new: str) -> Any:
            self._at(old).rename(self._at(new))
            return paramiko.SFTP_OK

        posix_rename = rename

        def remove(self, path: str) -> Any:
            self._at(path).unlink()
            return paramiko.SFTP_OK

        def mkdir(self, path: str, attr: Any) -> Any:
            return paramiko.SFTP_FAILURE

    class _Handle(paramiko.SFTPHandle):
        def write(self, offset: int, data: bytes) -> Any:
            try:
                self.writefile.seek(offset)
                self.writefile.write(data)
            except OSError as error:
                return paramiko.SFTPServer.convert_errno(error.errno)
            return paramiko.SFTP_OK

        def stat(self) -> Any:
            return paramiko.SFTPAttributes.from_stat(os.fstat(self.readfile.fileno()))

    def _cut() -> None:
        for transport in transports:
            transport.close()

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            transport = paramiko.Transport(connection)
            transport.add_server_key(key)
            transport.set_subsystem_handler("sftp", paramiko.SFTPServer, Files)
            transport.start_server(server=Door(), event=threading.Event())
            transports.append(transport)

    environment = {
        "PEAKEDEX_BACKUP_USER": USER,
        "PEAKEDEX_BACKUP_PASSWORD": PASSWORD,
        "PEAKEDEX_BACKUP_KNOWN_HOSTS": str(known_hosts),
    }
    server = Server(f"sftp://127.0.0.1:{port}/", environment, folder)
    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        _cut()
        thread.join(5)


# -- S3 ---------------------------------------------------------------------------------------------


class Bucket(Server):
    """A server with files in memory."""

    client: Any = None
    bucket: str = ""

    def names(self) -> list[str]:
        found = self.client.list_objects_v2(Bucket=self.bucket).get("Contents", [])
        return sorted(each["Key"].removeprefix("dex/") for each in found)


@contextmanager
def s3(folder: Path) -> Iterator[Server]:
    """moto's S3 server, with an empty bucket."""
    import botocore.session
    from moto.server import ThreadedMotoServer

    serving = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    serving.start()
    host, port = serving.get_host_and_port()
    environment = {
        "AWS_ACCESS_KEY_ID": USER,
        "AWS_SECRET_ACCESS_KEY": PASSWORD,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
    }
    bucket = f"backups-{port}"  # they outlive the server
    server = Bucket(f"s3://{bucket}/dex", environment, folder)
    server.bucket = bucket
    server.client = botocore.session.Session().create_client(
        "s3",
        endpoint_url=environment["AWS_ENDPOINT_URL"],
        region_name="us-east-1",
        aws_access_key_id=USER,
        aws_secret_access_key=PASSWORD,
    )
    server.client.create_bucket(Bucket=bucket)
    try:
        yield server
    finally:
        serving.stop()


@contextmanager
def running(kind: str, folder: Path) -> Iterator[Server]:
    """A server of one of KINDS, with its files in a new subfolder."""
    files = folder / "place"
    files.mkdir()
    if kind == "folder":
        yield Server(str(files), {}, files)
    elif kind == "s3":
        with s3(files) as server:
            yield server
    elif kind == "sftp":
        with sftp(files, folder / "known_hosts") as server:
            yield server
    else:
        with ftp(files, make_certificate(folder / "server.pem") if kind == "ftps" else None) as server:
            yield server
