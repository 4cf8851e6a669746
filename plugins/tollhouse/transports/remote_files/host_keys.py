"""Whether an SSH server is the one that is meant: by known_hosts, or by its key's fingerprint."""

from __future__ import annotations

import binascii
from pathlib import Path

import paramiko

from tollhouse.transports.http_api.failures import Fault
from tollhouse.transports.remote_files.site import Site

KNOWN_HOSTS, FINGERPRINT = "known_hosts", "host_key"


class RefusedHostKeyError(Exception):
    """The key of a server is not the one that was expected; carries the fault."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.found)
        self.fault = fault


class ExpectedKey(paramiko.MissingHostKeyPolicy):
    """Accepts the key whose fingerprint the connection names, and no other."""

    def __init__(self, site: Site) -> None:
        self._site = site
        named = str(site.connection.extra.get(FINGERPRINT) or "")
        self._expected = {part.strip() for part in named.split(",") if part.strip()}

    def missing_host_key(
        self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey
    ) -> None:
        """Look at a key that known_hosts does not have."""
        del client, hostname
        shown = key.fingerprint
        if not {fingerprint_form(named) for named in self._expected} & {shown, _md5(key)}:
            raise RefusedHostKeyError(self._fault(f"{shown} ({key.get_name()})"))

    def _fault(self, shown: str) -> Fault:
        place, connection_id = self._site.reach.place, self._site.connection.connection_id
        compare = (
            "On the server `ssh-keygen -lf /etc/ssh/ssh_host_…_key.pub` shows the fingerprints of "
            "its keys: only if this one is among them, put it into the extra host_key of "
            f"connection {connection_id}. If not, somebody stands in between."
        )
        if self._expected:
            return Fault("host key", f"{place} shows another host key: {shown}", compare)
        found = f"{place} shows a host key that nobody vouches for: {shown}"
        return Fault("host key", found, compare)


def load_known_hosts(client: paramiko.SSHClient, site: Site) -> None:
    """Have the keys of the file that the connection names known, if it names one.

    Raises:
        RefusedHostKeyError: there is no such file, or it is none.
    """
    named = site.connection.extra.get(KNOWN_HOSTS)
    if not named:
        return
    path = site.settings.var / Path(str(named))
    try:
        client.load_host_keys(str(path))
    except (OSError, ValueError, paramiko.SSHException) as error:
        raise RefusedHostKeyError(
            Fault(
                "host key",
                f"{path}, the known_hosts of the connection, cannot be read "
                f"({type(error).__name__})",
                "Make it with `ssh-keyscan -p PORT HOST`, compare the keys with those on the "
                "server, and name it in the connection's extra known_hosts.",
            )
        ) from None


def fingerprint_form(named: str) -> str:
    """Return a fingerprint as it is compared: no padding, no matter how MD5 is written."""
    kind, separator, rest = named.partition(":")
    if kind.upper() == "SHA256" and separator:
        return f"SHA256:{rest.rstrip('=')}"
    digits = named.upper().removeprefix("MD5:").replace(":", "").lower()
    try:
        return f"MD5:{binascii.unhexlify(digits).hex()}"
    except ValueError:
        return f"SHA256:{named.rstrip('=')}"


def _md5(key: paramiko.PKey) -> str:
    return f"MD5:{key.get_fingerprint().hex()}"
