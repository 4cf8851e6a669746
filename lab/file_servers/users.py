"""Who may log in to a simulated file server, and what is theirs."""

from __future__ import annotations

import hmac
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class User:
    """An account.

    Attributes:
        folder: all that it sees.
        public_key: the base64 part of a line of authorized_keys, for SFTP without a password.
    """

    login: str
    password: str = field(repr=False)
    folder: Path
    public_key: str = ""

    def path(self, working_folder: str, name: str) -> Path | None:
        """Return the file that a user means; None if it is outside of what is theirs."""
        parts: list[str] = []
        for part in f"{working_folder}/{name}".split("/") if name[:1] != "/" else name.split("/"):
            if part == ".." and parts:
                parts.pop()
            elif part not in ("", ".", ".."):
                parts.append(part)
        path = self.folder.joinpath(*parts)
        return path if "\0" not in name else None


def user_of(users: Iterable[User], login: str, password: str) -> User | None:
    """Return the user whom login and password are of."""
    for user in users:
        if user.login == login and hmac.compare_digest(
            user.password.encode(), password.encode(errors="replace")
        ):
            return user
    return None


def entries_of(folder: Path) -> list[tuple[str, os.stat_result]]:
    """Return the names in a folder and the state of each, a link's own state."""
    return sorted((entry.name, entry.stat(follow_symlinks=False)) for entry in os.scandir(folder))


def is_plain(state: os.stat_result) -> bool:
    """Whether that is the state of a plain file."""
    return stat.S_ISREG(state.st_mode)
