"""Encryption of the collector's connections, as the extra of a PBX's Airflow Connection asks.

``tls: true`` is all that is needed where the PBX has a certificate of a known authority; the other
keys are listed in docs/configuration.md. Certificates are verified unless ``tls_verify: false``
says otherwise.
"""

from __future__ import annotations

import ssl
from pathlib import Path

from tollhouse.connections import PbxConnection

_YES = ("true", "yes", "on", "1")
_NO = ("false", "no", "off", "0", "")


class TlsSettingsError(ValueError):
    """The connection's extra does not hold; the message names the key and what is expected."""


class TlsRefusedError(Exception):
    """The two sides do not come to terms: a certificate that is not trusted, no common version."""


def dialling_context(connection: PbxConnection, folder: Path) -> ssl.SSLContext | None:
    """Return what a connection to a PBX is encrypted with, or None when it is not.

    Args:
        connection: its extra says whether and how.
        folder: where relative names of files are looked up.

    Raises:
        TlsSettingsError: a value or a file does not hold.
    """
    if not _switch(connection, "tls", default=False):
        return None
    context = ssl.create_default_context()
    _trust(context, connection, folder)
    _show_certificate(context, connection, folder)
    if not _switch(connection, "tls_verify", default=True):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def listening_context(connection: PbxConnection, folder: Path) -> ssl.SSLContext | None:
    """Return what a PBX's connection to the collector is encrypted with, or None when it is not.

    With ``ca_file`` the PBX must show a certificate of that authority.

    Raises:
        TlsSettingsError: a value or a file does not hold.
    """
    if not _switch(connection, "tls", default=False):
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    if not _show_certificate(context, connection, folder):
        raise _fault(connection, "certificate_file", "is needed where the PBX connects over TLS")
    if _trust(context, connection, folder):
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def server_name(connection: PbxConnection) -> str:
    """Return the name that the PBX's certificate must bear."""
    return str(connection.extra.get("server_name") or connection.host)


def _trust(context: ssl.SSLContext, connection: PbxConnection, folder: Path) -> bool:
    path = _file(connection, "ca_file", folder)
    if path is None:
        return False
    try:
        context.load_verify_locations(cafile=path)
    except OSError as error:  # an ssl.SSLError is one too
        raise _fault(connection, "ca_file", f"{path} holds no certificate: {error}") from error
    return True


def _show_certificate(context: ssl.SSLContext, connection: PbxConnection, folder: Path) -> bool:
    certificate = _file(connection, "certificate_file", folder)
    if certificate is None:
        return False
    key = _file(connection, "key_file", folder)
    # Without a password OpenSSL would ask for one on the terminal.
    password = str(connection.extra.get("key_password", ""))
    try:
        context.load_cert_chain(certificate, key, password=lambda: password)
    except OSError as error:
        raise _fault(
            connection,
            "certificate_file",
            f"{certificate} with key_file {key or certificate} cannot be used: {error}",
        ) from error
    return True


def _file(connection: PbxConnection, key: str, folder: Path) -> Path | None:
    name = connection.extra.get(key)
    if not name:
        return None
    path = folder / str(name)
    if not path.is_file():
        raise _fault(connection, key, f"{path} is no file")
    return path


def _switch(connection: PbxConnection, key: str, *, default: bool) -> bool:
    value = str(connection.extra.get(key, default)).lower()
    if value not in (*_YES, *_NO):
        raise _fault(connection, key, f"{value!r} is neither true nor false")
    return value in _YES


def _fault(connection: PbxConnection, key: str, fault: str) -> TlsSettingsError:
    return TlsSettingsError(f"Connection {connection.connection_id!r}, extra {key}: {fault}.")
