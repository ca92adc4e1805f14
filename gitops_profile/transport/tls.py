"""TLS: contexts made from PEM files and made anew when the files change; whom a certificate is for (RFC 5922)."""

import logging
import ssl
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

logger = logging.getLogger(__name__)

LOOK_EVERY = 1.0
"""Seconds between two looks at the files, so that a flood of connections is no flood of system calls."""

Certificate = Mapping[str, Any]
"""A verified certificate, as `SSLSocket.getpeercert` gives it."""


class CertificateError(Exception):
    """The certificate, its key or the CAs cannot be used; the message names the setting and the file."""


class Certificates:
    """The files of a TLS identity, and contexts made of what they hold now.

    A context that is handed out is not changed any more: connections keep the certificate they were made with. New
    files that cannot be used change nothing, and are said once in a WARNING.
    """

    def __init__(
        self,
        certificate: Path | None,
        key: Path | None = None,
        client_ca: Path | None = None,
        *,
        ca_setting: str = "tls.client_ca",
        trusts_intermediates: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`key` may be in the certificate's file, `client_ca` are the CAs that sign clients' certificates, if any do.

        `ca_setting` names the latter in messages. `trusts_intermediates`: a CA among them counts without its own root.
        Without a `certificate` only `client()` can be used. Raises CertificateError, as do the methods.
        """
        self._certificate = certificate
        self._key = key
        self._client_ca = client_ca
        self._ca_setting = ca_setting
        self._trusts_intermediates = trusts_intermediates
        self._clock = clock
        self._looked = clock()
        self._seen = self._files()
        self._server = self._make_server()
        # Not before it is asked for: the system's CAs take a while to read, and few servers open connections.
        self._client = self._make_client() if certificate is None and client_ca is not None else None

    def server(self) -> ssl.SSLContext:
        """For connections that we accept: TLS 1.2 or later (RFC 8996), a client's certificate if it has one."""
        self._look()
        if self._server is None:
            raise CertificateError("tls.certificate is not set: name the PEM file of the server's certificate")
        return self._server

    def client(self) -> ssl.SSLContext:
        """For connections that we open: the peer's certificate must be signed by a CA of the system or `client_ca`.

        Whether it is for the right name is for the caller to see, with `certifies`: RFC 5922 §7.2 is not HTTPS's rule.
        """
        self._look()
        if self._client is None:
            self._client = self._make_client()
        return self._client

    def _look(self) -> None:
        now = self._clock()
        if now - self._looked < LOOK_EVERY:
            return
        self._looked = now
        seen = self._files()
        if seen == self._seen:
            return
        self._seen = seen
        try:
            server, client = self._make_server(), self._client and self._make_client()
        except CertificateError as error:
            logger.warning("the old certificate stays in use: %s", error)
        else:
            self._server, self._client = server, client
            logger.info("certificate read again certificate=%s", self._certificate)

    def _files(self) -> tuple[object, ...]:
        """Something that differs when a file was written or replaced."""
        return tuple(_stamp(path) for path in (self._certificate, self._key, self._client_ca) if path is not None)

    def _make_server(self) -> ssl.SSLContext | None:
        if self._certificate is None:
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        self._identify(context)
        if self._client_ca is not None:
            self._trust(context)
            context.verify_mode = ssl.CERT_OPTIONAL
            if self._trusts_intermediates:
                context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        return context

    def _make_client(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.check_hostname = False
        if self._client_ca is not None:
            self._trust(context)
        if self._certificate is not None:
            self._identify(context)
        return context

    def _identify(self, context: ssl.SSLContext) -> None:
        assert self._certificate is not None
        try:
            context.load_cert_chain(self._certificate, self._key, password=_no_password)
        except (OSError, ValueError) as error:
            what = f"tls.certificate {self._certificate}" + (f" with tls.key {self._key}" if self._key else "")
            raise CertificateError(f"{what} cannot be used: {_reason(error)}") from error

    def _trust(self, context: ssl.SSLContext) -> None:
        try:
            context.load_verify_locations(self._client_ca)
        except OSError as error:
            raise CertificateError(f"{self._ca_setting} {self._client_ca} cannot be used: {_reason(error)}") from error


def certificate_names(certificate: Certificate | None) -> tuple[str, ...]:
    """The SIP domains that a verified certificate is for, in small letters (RFC 5922 §7.1).

    The sip: URIs without a user part among its alternative names; without one its DNS names; only without any
    alternative name at all the common name.
    """
    if not certificate:
        return ()
    alternatives = certificate.get("subjectAltName", ())
    if not alternatives:
        return tuple(
            value.lower() for part in certificate.get("subject", ()) for name, value in part if name == "commonName"
        )
    uris = [
        value[len("sip:") :].lower() for kind, value in alternatives if kind == "URI" and value[:4].lower() == "sip:"
    ]
    domains = tuple(uri for uri in uris if uri and "@" not in uri)
    return domains or tuple(value.lower() for kind, value in alternatives if kind == "DNS")


def certifies(certificate: Certificate | None, names: Collection[str]) -> bool:
    """Whether a verified certificate is for one of `names`, which are domains or addresses.

    No wildcards: a certificate for `*.example.com` is for none of its hosts (RFC 5922 §7.2).
    """
    if not certificate:
        return False
    addresses = {value.lower() for kind, value in certificate.get("subjectAltName", ()) if kind == "IP Address"}
    known = addresses.union(certificate_names(certificate))
    return any(name.lower() in known for name in names)


def _no_password() -> str:
    """Instead of OpenSSL's question on the terminal."""
    raise ValueError("the key has a password, which nobody is there to type: store it without one")


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return {
            "KEY_VALUES_MISMATCH": "the key is not the certificate's",
            "NO_START_LINE": "it is no PEM file",
        }.get(error.reason or "", error.reason or "no certificate or key is found in it")
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)


def _stamp(path: Path) -> object:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
