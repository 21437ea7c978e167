"""E-mail: a plain text message over SMTP with TLS."""

from __future__ import annotations

import hashlib
import logging
import smtplib
import ssl
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate
from typing import Final, Literal

from indexer.notify.message import Notification
from indexer.notify.targets.target import DeliveryError, RefusedError

log = logging.getLogger("peakedex.notify")

TIMEOUT_SECONDS: Final = 15.0
"""Of one operation of the protocol."""
_LAST_TEMPORARY: Final = 499
Security = Literal["tls", "starttls", "none"]


class Mail:
    """Sends each notification as a message of its own.

    The Message-ID comes from the notification's id: mail programs show a repeated message once.
    """

    def __init__(
        self,
        server: str,
        port: int,
        security: Security,
        sender: str,
        recipients: tuple[str, ...],
        login: tuple[str, str] | None,
        ca_file: str | None,
    ) -> None:
        """`security` "none" is for a mail server on this machine. `login`: user and password."""
        self._server, self._port, self._security = server, port, security
        self._sender, self._recipients = sender, recipients
        self._login = login
        self._ca_file = ca_file

    def send(self, message: Notification) -> None:
        try:
            smtp = self._connect()
            try:
                if self._login is not None:
                    smtp.login(*self._login)
                refused = smtp.send_message(self._mail(message), self._sender, self._recipients)
            finally:
                smtp.close()  # without QUIT, whose failure would say nothing about the message
            if refused:  # others have received it: it is not sent again
                log.warning("the mail server refuses %d of the recipients", len(refused))
        except (smtplib.SMTPSenderRefused, smtplib.SMTPDataError) as error:
            kind = RefusedError if error.smtp_code > _LAST_TEMPORARY else DeliveryError
            raise kind(f"SMTP status {error.smtp_code}") from None
        except smtplib.SMTPRecipientsRefused as error:
            codes = sorted({code for code, _ in error.recipients.values()})
            raise DeliveryError(f"the recipients are refused: SMTP status {codes}") from None
        except smtplib.SMTPResponseException as error:
            raise DeliveryError(f"SMTP status {error.smtp_code}") from None
        except ssl.SSLCertVerificationError:
            raise DeliveryError("no connection: its certificate is not trusted") from None
        except TimeoutError:
            raise DeliveryError("no answer in time") from None
        except (smtplib.SMTPException, OSError, ValueError) as error:
            raise DeliveryError(f"no connection ({type(error).__name__})") from None

    def _connect(self) -> smtplib.SMTP:
        if self._security == "none":
            return smtplib.SMTP(self._server, self._port, timeout=TIMEOUT_SECONDS)
        context = ssl.create_default_context(cafile=self._ca_file)
        if self._security == "tls":
            return smtplib.SMTP_SSL(self._server, self._port, timeout=TIMEOUT_SECONDS, context=context)
        smtp = smtplib.SMTP(self._server, self._port, timeout=TIMEOUT_SECONDS)
        try:
            smtp.starttls(context=context)
        except BaseException:
            smtp.close()
            raise
        return smtp

    def _mail(self, message: Notification) -> EmailMessage:
        mail = EmailMessage(policy=SMTP)
        mail["Subject"] = f"[Peake DEX] {message.title}"
        mail["From"] = self._sender
        mail["To"] = ", ".join(self._recipients)
        mail["Date"] = formatdate()
        mail["Message-ID"] = f"<{hashlib.sha256(message.id.encode()).hexdigest()[:40]}@peakedex.invalid>"
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(f"{message.body}\n")
        return mail
