"""The file servers of the lab as a process of their own, told by a JSON file what to serve."""

from __future__ import annotations

import ftplib
import io
import json
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import paramiko

from tests.conftest import free_port
from tollhouse.embedded.processes import port_is_taken
from tollhouse.settings import PROJECT

PASSWORD = "secret-of-the-lab"


def test_one_process_serves_what_its_file_names_and_takes_what_is_pushed(tmp_path: Path) -> None:
    shown = tmp_path / "shown"
    shown.mkdir()
    (shown / "t1.csv").write_text("1\n")
    ports = {"ftp": free_port(), "sftp": free_port(), "http": free_port()}
    user = {"login": "lab", "password": PASSWORD, "folder": str(shown)}
    entries = [
        {"protocol": "ftp", "port": ports["ftp"], "users": [user]},
        {
            "protocol": "sftp",
            "port": ports["sftp"],
            "users": [user],
            "host_key": str(tmp_path / "host_key"),
        },
        {
            "protocol": "http",
            "port": ports["http"],
            "users": [user],
            "login_kind": "none",
            "faults": {"strange_names": ["../x"]},
        },
    ]
    config = tmp_path / "servers.json"
    config.write_text(json.dumps(entries))
    with subprocess.Popen(
        [sys.executable, "-m", "lab.file_servers", str(config)], cwd=PROJECT
    ) as process:
        try:
            while not all(port_is_taken(port) for port in ports.values()):
                assert process.poll() is None
                time.sleep(0.05)
            with ftplib.FTP() as ftp:
                ftp.connect("127.0.0.1", ports["ftp"])
                ftp.login("lab", PASSWORD)
                ftp.storbinary("STOR t2.csv", io.BytesIO(b"2\n"))
                assert ftp.nlst() == ["t1.csv", "t2.csv"]
            with paramiko.SSHClient() as ssh:
                ssh.set_missing_host_key_policy(paramiko.AutoAddPolicy())
                ssh.connect("127.0.0.1", ports["sftp"], "lab", PASSWORD, allow_agent=False)
                ssh.open_sftp().putfo(io.BytesIO(b"3\n"), "t3.csv")
            url = f"http://127.0.0.1:{ports['http']}/"
            with urllib.request.urlopen(url) as answer:
                page = answer.read().decode()
            assert all(f'href="{name}"' in page for name in ("t1.csv", "t2.csv", "t3.csv", "../x"))
        finally:
            process.terminate()
