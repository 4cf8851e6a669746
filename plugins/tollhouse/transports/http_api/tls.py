"""How TLS is spoken with a PBX, and whose certificate it must show, as the connection says."""

from __future__ import annotations

import ssl
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.util import create_urllib3_context

from tollhouse.transports.http_api.reach import Reach

#: OpenSSL's option for servers that know no secure renegotiation; Python 3.12 has a name for it.
LEGACY_SERVER_CONNECT = 0x4


class TlsAdapter(HTTPAdapter):
    """Expects the name or the very certificate that a connection names, on any way to the PBX."""

    def __init__(self, reach: Reach) -> None:
        self._tls: dict[str, Any] = {"ssl_context": _context(reach)}
        if reach.server_name:
            self._tls |= {"server_hostname": reach.server_name}
            self._tls |= {"assert_hostname": reach.server_name}
        if reach.fingerprint:
            self._tls |= {"assert_fingerprint": reach.fingerprint}
        super().__init__()

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        """Hand it on to where connections are made."""
        super().init_poolmanager(*arguments, **{**options, **self._tls})

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        """Do the same on the way through a proxy."""
        return super().proxy_manager_for(proxy, **{**options, **self._tls})


def _context(reach: Reach) -> ssl.SSLContext:
    context = create_urllib3_context(
        cert_reqs=ssl.CERT_REQUIRED if reach.ca_file else ssl.CERT_NONE
    )
    # Who names a certificate trusts it, though it was signed by another.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    if reach.old_tls:
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        context.options |= LEGACY_SERVER_CONNECT
    return context
