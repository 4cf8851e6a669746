"""Cisco Unified Communications Manager: files that the cluster delivers by FTP or SFTP.

At each interval each node closes a file of call records (`cdr_…`) and one of quality records
(`cmr_…`), and pushes them to the cluster's *billing servers*, up to three. Here a folder receives
them.

## Here: the folder

Give the cluster an FTP or SFTP account on this machine whose home is the drop folder, and nothing
else. Test it with any client **before** the PBX: it must be able to create a file. The account that
runs Tollhouse must be able to read the folder and the files in it (same group, mode 2770, umask 007
for the FTP server), and to write to it if files shall be put away after landing.

The entry, with a folder below `var/` or an absolute one:

    settings:
      folder: drop/lille_plant
      after_landing: archive      # or keep (the default), rename, delete

No Airflow Connection is needed: nothing is dialled. docs/configuration.md, *A drop server*, shows
how an SSH server that is there already gets such an account, and the one of the Docker
installation.

## Or on another server

Where the billing server is another machine that keeps the files, they are fetched from there:

    transport: remote_files
    settings:
      folder: /cdr

    AIRFLOW_CONN_PBX_LILLE_PLANT='{"host": "192.0.2.20", "login": "tollhouse", "password": "…",
      "extra": {"host_key": "SHA256:…"}}'

`host_key` is the fingerprint of that server; `protocol: ftps` or `ftp` in `settings` says so where
it is no SFTP.

## In the PBX

In *Cisco Unified CM Administration*, *System*, *Service Parameters*, for **every** node and the
service *Cisco CallManager*:

| parameter | value |
|---|---|
| CDR Enabled Flag | True |
| CDR Log Calls with Zero Duration Flag | True, see below |
| Call Diagnostics Enabled | Disabled; Enabled adds `cmr_` files, which are not billed |

In *System*, *Enterprise Parameters*: *CDR File Time Interval* 1 (minute).

In *Cisco Unified Serviceability*, *Tools*, *CDR Management*, under *Billing Applications Server
Parameters*, *Add New*:

| field | value |
|---|---|
| Host Name / IP Address | this machine |
| User Name, Password | of the account above |
| Protocol | SFTP, or FTP if nothing else can be had |
| Directory Path | empty, or the path below the account's home |

The page may refuse a server that does not answer: switch it on first. A failed delivery is tried
again until the cluster's preservation time deletes the file, so a weekend without this machine is
no loss and a month may be.

## Network

TCP 21 with its data ports (FTP), or 22 (SFTP), from **every** node of the cluster to this machine.

## Pitfalls

- **The zero-duration flag.** It is off by default: then calls that were not answered or were
  abandoned leave no record, and the share of missed calls is wrong. Busy and failed calls are
  recorded either way.
- The flag *CDR Enabled* is per node: one that was forgotten is a hole that nobody sees.
- **All times are UTC** in the records and in the file names; `time_zone` of the entry serves bands
  and reports, not the reading of the clock.
- **The columns are found by the header line**, which differs between releases in number, order and
  case. Files that were cut, sorted or opened in a spreadsheet on their way cannot be read.
- Files with the two header lines alone are ordinary: a quiet minute.
- A name with a leading `_` is still being written and is left alone. The same file delivered twice
  lands once; after a restart of the cluster call numbers jump, which does no harm.
- Several clusters may all be called `StandAloneCluster`: give each its own folder and entry.

## What the files hold

One record per leg: number calling, number first called, number reached, last redirection, device on
both sides, times to the second, cause of the end on both sides, account code (client matter code),
hunt pilot. A forward is one record. A transfer is three or more: those with the party that was
transferred share a call number and are the legs of one call, while each consultation before it has
a number of its own and is a call of its own. No record says *outgoing* or *incoming*: it follows
from which side is a gateway or trunk. Recording legs are ignored. Digits that a gateway adds or
strips are not shown.

They hold no price.

## Test

Call out, talk for a few seconds, hang up, wait two minutes. Then

    tollhouse pbx check lille_plant

must show that call, raw and parsed. If it stops at *files*: the account, the billing server's page,
the firewall. If it stops at *tickets*: the CDR flags of the nodes.
"""

from tollhouse.pbx import FileDefaults, Framing, Model

MODEL = Model(
    model_id="cisco_cucm",
    title="Cisco Unified Communications Manager",
    transports=("dropped_files", "remote_files"),
    framing=Framing(kind="header_lines", header_line_count=2, maximum_bytes=262_144),
    encoding="utf-8",
    files=FileDefaults(
        pattern="c[dm]r_*",
        ignored_pattern="_*",
        name_time_pattern=r"_(\d{12})_\d+$",
        remedy=(
            "In Cisco Unified Serviceability, Tools > CDR Management, the billing server must show "
            "this machine and no failed delivery; CDR Enabled Flag must be True on every node. "
            "Files with the two header lines alone are ordinary on a quiet system."
        ),
    ),
)
