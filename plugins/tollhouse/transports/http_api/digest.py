"""Digest access authentication (RFC 7616), as the older API of a UCM asks for it.

The challenge of a refusal is answered here, so that a refusal is read like any other answer:
bounded in size and time.
"""

from __future__ import annotations

import hashlib
import secrets
from urllib.request import parse_http_list, parse_keqv_list

ALGORITHMS = {"MD5": "md5", "SHA-256": "sha256"}


class DigestLogin:
    """Login and password, and the challenge that they answer."""

    def __init__(self, login: str, password: str) -> None:
        self._login = login
        self._password = password
        self._challenge: dict[str, str] = {}
        self._count = 0

    def __repr__(self) -> str:
        """Say whose it is, without the password."""
        return f"DigestLogin({self._login!r})"

    def take(self, header: str) -> bool:
        """Take the challenge of a ``WWW-Authenticate`` header; return whether it can be answered.

        Basic authentication is not answered: it would hand the password over.
        """
        scheme, _, fields = header.strip().partition(" ")
        if scheme.lower() != "digest":
            return False
        try:
            challenge = parse_keqv_list(parse_http_list(fields))
        except ValueError:
            return False
        self._challenge, self._count = challenge, 0
        qualities = [part.strip() for part in challenge.get("qop", "auth").split(",")]
        return "nonce" in challenge and self._algorithm in ALGORITHMS and "auth" in qualities

    def header(self, method: str, uri: str) -> dict[str, str]:
        """Return the header that answers the last challenge; none before there was one."""
        challenge = self._challenge
        if not challenge:
            return {}
        self._count += 1
        realm, nonce = challenge.get("realm", ""), challenge["nonce"]
        count, client_nonce = f"{self._count:08x}", secrets.token_hex(8)
        secret = self._hash(f"{self._login}:{realm}:{self._password}")
        request = self._hash(f"{method}:{uri}")
        middle = f"{nonce}:{count}:{client_nonce}:auth" if "qop" in challenge else nonce
        login = self._login.replace("\\", "\\\\").replace('"', '\\"')
        fields = [
            f'username="{login}", realm="{realm}", nonce="{nonce}", uri="{uri}"',
            f'response="{self._hash(f"{secret}:{middle}:{request}")}"',
        ]
        if "algorithm" in challenge:
            fields.append(f"algorithm={self._algorithm}")
        if "opaque" in challenge:
            fields.append(f'opaque="{challenge["opaque"]}"')
        if "qop" in challenge:
            fields.append(f'qop=auth, nc={count}, cnonce="{client_nonce}"')
        return {"Authorization": "Digest " + ", ".join(fields)}

    @property
    def _algorithm(self) -> str:
        return self._challenge.get("algorithm", "MD5").upper()

    def _hash(self, text: str) -> str:
        name = ALGORITHMS[self._algorithm]
        return hashlib.new(name, text.encode(), usedforsecurity=False).hexdigest()
