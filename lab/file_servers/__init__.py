"""File servers as PBXs have them: FTP, FTPS, SFTP and web servers that list a folder.

They speak the real protocols over real sockets, each user in a folder of its own, and misbehave
when told to. Tests start them on a thread, the demo as one process (``python -m
lab.file_servers``) with a JSON file.
"""

from __future__ import annotations

from lab.file_servers.ftp_server import FtpServer
from lab.file_servers.http_server import HttpFileServer
from lab.file_servers.misbehaviour import Misbehaviour
from lab.file_servers.sftp_server import SftpServer, new_host_key
from lab.file_servers.users import User

__all__ = [
    "FtpServer",
    "HttpFileServer",
    "Misbehaviour",
    "SftpServer",
    "User",
    "new_host_key",
]
