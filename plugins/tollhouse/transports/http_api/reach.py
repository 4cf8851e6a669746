"""How an API is reached: address, TLS and proxy, as connection and environment say."""

from __future__ import annotations

import re
import ssl
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import IPv6Address
from pathlib import Path
from urllib.parse import urlsplit

import requests.utils

from tollhouse.connections import PbxConnection
from tollhouse.installed_pbxs import Pbx
from tollhouse.settings import Settings
from tollhouse.transports import SourceError

HOST = re.compile(r"[\w.-]+", re.ASCII)
#: Bytes of SHA-256 in hexadecimal, as browsers and openssl show them.
FINGERPRINT = re.compile(r"(?:[0-9a-f]{2}:?){31}[0-9a-f]{2}", re.ASCII | re.IGNORECASE)
SWITCHES = {"true": True, "yes": True, "on": True, "1": True} | {
    "false": False,
    "no": False,
    "off": False,
    "0": False,
}


@dataclass(frozen=True)
class Reach:
    """Where an API is and how it is got at.

    Attributes:
        ca_file: the authorities whose certificates are trusted, a file or a folder of them; None
            asks none.
        server_name: the name in the certificate, where it is not the host.
        fingerprint: SHA-256 of the only certificate that is accepted, whoever signed it. Without it
            and without authorities any one is.
        old_tls: TLS before 1.2 will do, and the weak keys of that time.
        proxy: its URL, which may hold a password.
    """

    host: str
    port: int
    ca_file: str | None
    server_name: str | None = None
    fingerprint: str | None = None
    old_tls: bool = False
    proxy: str | None = field(default=None, repr=False)

    @property
    def place(self) -> str:
        """Host and port, as they stand in a URL."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The beginning of every URL that is asked."""
        return f"https://{self.place}"

    @property
    def proxy_address(self) -> tuple[str, int] | None:
        """Host and port of the proxy, if there is one."""
        if self.proxy is None:
            return None
        parts = urlsplit(self.proxy)
        return parts.hostname or "", parts.port or 80

    @property
    def proxy_place(self) -> str:
        """The proxy without login and password."""
        host, port = self.proxy_address or ("none", 0)
        return f"{host}:{port}"


def find_reach(
    pbx: Pbx, connection: PbxConnection, settings: Settings, *, default_port: int
) -> Reach:
    """Return how the API of a PBX is reached.

    The connection's extra may hold ``tls_ca`` (a PEM file; relative ones lie below ``var/``),
    ``server_name``, ``tls_fingerprint``, ``old_tls``, ``verify`` and ``proxy`` (a URL, or ``off``;
    by default the environment says).

    Raises:
        SourceError: a value does not hold; the message names it and never quotes a password.
    """
    extra = connection.extra
    host = _host(pbx, connection)
    port = connection.port or default_port
    unproxied = Reach(host, port, None)
    fingerprint = _fingerprint(pbx, connection)
    return Reach(
        host=host,
        port=port,
        ca_file=None if fingerprint else _ca_file(pbx, connection, settings),
        server_name=str(extra.get("server_name") or "") or None,
        fingerprint=fingerprint,
        old_tls=_is_on(pbx, connection, "old_tls", default=False),
        proxy=_proxy(pbx, connection, unproxied.url),
    )


def _host(pbx: Pbx, connection: PbxConnection) -> str:
    host = connection.host.strip()
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    if HOST.fullmatch(host):
        return host
    with suppress(ValueError):
        return str(IPv6Address(host))
    raise _fault(
        pbx,
        connection,
        "host",
        "is no name or address; write it alone, as in pbx.example.com, and the port into port",
    )


def _fingerprint(pbx: Pbx, connection: PbxConnection) -> str | None:
    named = str(connection.extra.get("tls_fingerprint") or "").strip()
    if named and not FINGERPRINT.fullmatch(named):
        raise _fault(
            pbx,
            connection,
            "extra tls_fingerprint",
            "is no SHA-256 fingerprint: 32 bytes in hexadecimal, as in AB:CD:…",
        )
    return named.replace(":", "").lower() or None


def _is_on(pbx: Pbx, connection: PbxConnection, name: str, *, default: bool) -> bool:
    switch = SWITCHES.get(str(connection.extra.get(name, default)).lower())
    if switch is None:
        raise _fault(pbx, connection, f"extra {name}", "can be true or false")
    return switch


def _ca_file(pbx: Pbx, connection: PbxConnection, settings: Settings) -> str | None:
    if not _is_on(pbx, connection, "verify", default=True):
        return None
    named = connection.extra.get("tls_ca")
    if not named:
        # The machine's own authorities; those that Python brings where the machine has none.
        own = ssl.get_default_verify_paths()
        return own.cafile or own.capath or requests.utils.DEFAULT_CA_BUNDLE_PATH
    path = settings.var / Path(str(named))
    try:
        ssl.create_default_context().load_verify_locations(cafile=path)
    except OSError as error:  # an ssl.SSLError is one too
        raise _fault(
            pbx, connection, "extra tls_ca", f"names {path}, which holds no certificate in PEM form"
        ) from error
    return str(path)


def _proxy(pbx: Pbx, connection: PbxConnection, url: str) -> str | None:
    named = connection.extra.get("proxy")
    if named is None or named == "":
        found = requests.utils.select_proxy(url, requests.utils.get_environ_proxies(url))
    else:
        found = None if SWITCHES.get(str(named).lower()) is False else str(named)
    if found is None:
        return None
    try:
        parts = urlsplit(found)
        is_url = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_url = False
    if not is_url:
        raise _fault(
            pbx,
            connection,
            "extra proxy (or HTTPS_PROXY of the environment)",
            "is no URL such as http://192.0.2.1:3128; characters such as @ : / in its login and "
            "password are written %40 %3A %2F",
        ) from None
    return found


def _fault(pbx: Pbx, connection: PbxConnection, key: str, fault: str) -> SourceError:
    return SourceError(f"{pbx.id}: {key} of connection {connection.connection_id} {fault}.")
