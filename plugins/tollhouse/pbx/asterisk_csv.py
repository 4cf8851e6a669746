"""Asterisk with its call records in a file, Master.csv: from a folder, or fetched by SFTP.

Asterisk appends a line per leg to one file. Where the records can go to a database, prefer that
(`asterisk_mysql`); files are for systems without one, and for boxes that shall not be touched.

## In Asterisk

Two modules write such a file; `cdr show status` at the Asterisk prompt names those that are on.

- **cdr_csv** writes `/var/log/asterisk/cdr-csv/Master.csv`, 16 columns in an order of its own. In
  `cdr.conf`, switch on what ties legs together and tells one clock from another, then restart
  Asterisk (a reload is not enough everywhere):

      [csv]
      loguniqueid=yes
      loguserfield=yes
      newcdrcolumns=yes
      accountlogs=no

  Each combination is recognised by the number of columns, up to 22. `accountlogs=yes` would write
  each call once more into a file per account.

- **cdr_custom** writes what its template says, below `/var/log/asterisk/cdr-custom/`. The entry
  must list the columns in that order, by the names within `CDR(…)`:

      settings:
        fields: [clid, src, dst, dcontext, channel, dstchannel, lastapp, lastdata, start, answer,
          end, duration, billsec, disposition, amaflags, accountcode, uniqueid, userfield,
          linkedid, sequence]

  Each value must be written with `CSV_QUOTE`, and all of them listed: a line with one more or less
  is rejected. Read are the columns of `cdr`, and `did`, `cnum`, `cnam`, `dst_cnam` and
  `outbound_cnum` where the dial plan sets them; others may stand between.

In `cdr.conf`: `unanswered=yes` if calls that never reached a phone shall be counted,
`congestion=yes` for those the network refused, `batch=no`, or the records in memory are lost in a
crash.

Outgoing or incoming is not in the record: list your trunks in the entry, as they stand in the
channel columns: `trunks: ["PJSIP/carrier", "DAHDI/"]`. `amaflags_direction: true` in `settings` is
for dial plans that set the flags; see the guide of Asterisk in MySQL.

## The folder

Bring the file to this machine, below `var/` or anywhere else it can read: a share or NFS mount of
the folder, read only; or `rsync -a` over SSH every minute, without `--append`, which would stop at
the first rotation. The account needs to read that folder and nothing else; the file is owned by the
user of Asterisk, mode 0640 on most systems.

    settings:
      folder: drop/agen_office
      stable_seconds: 0.2

The file is read from where it stood; on a busy PBX it never stays the same for the usual two
seconds, so the wait is short here. A line that was only half written waits for the next pull.
Do not set `after_landing`: Asterisk writes on.

No Airflow Connection is needed: nothing is dialled.

## Or by SFTP

Where nothing shall be installed or mounted, the file is fetched from where it lies: an account that
may log in by SSH and read that folder is enough. Only what was added since comes over the line. The
entry, and the connection with a key or a password:

    transport: remote_files
    settings:
      folder: /var/log/asterisk/cdr-csv
      stable_seconds: 0.2

    AIRFLOW_CONN_PBX_AGEN_OFFICE='{"host": "192.0.2.20", "login": "tollhouse", "password": "…",
      "extra": {"host_key": "SHA256:…"}}'

`ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` on the PBX shows the fingerprint for `host_key`.

## Rotation

`logrotate` of most packages does not touch this file, which then grows for years. To rotate it:

    /var/log/asterisk/cdr-csv/Master.csv {
        weekly
        rotate 8
        dateext
        nocompress
        missingok
    }

Asterisk opens the file anew for each record, so it needs no signal. The default pattern finds
`Master.csv` and the rotated ones beside it (`Master.csv-20261101`, `Master.csv.1`), so that nothing
is lost between the last pull and the rotation: what was read is recognised by its content under its
new name. `copytruncate` loses what is written between the copy and the cut: do not use it.

## Network

TCP 22 (SFTP, rsync) or 2049 (NFS), from this machine to the PBX.

## Pitfalls

- **Time zone.** The columns hold the PBX's wall clock: `time_zone` of the entry must be that of the
  machine that runs Asterisk. With `usegmtime=yes` in `cdr.conf` it is `UTC`. With `loguniqueid` the
  head of `uniqueid` is the true time, which settles the repeated hour in autumn and shows a wrong
  zone.
- **A record of more than about 1,000 bytes is dropped** by Asterisk itself, without a line: long
  `lastdata` or `userfield` values cause it.
- **A line end within a value** (set by a dial plan in `userfield`) cuts the line in two: both
  halves are rejected and listed by `tollhouse reconcile`.
- Columns that are switched on or off later change the lines from there on: each line is recognised
  by itself. A changed template of cdr_custom is not: rotate the file and change the entry at once.
- Without `newcdrcolumns` the legs of a call are tied by `uniqueid` alone, which legs of another
  channel do not share: transfers may count as two calls.
- Reading both this file and the database gives every call twice: keep one entry.

## What the lines hold

Start, duration, conversation (`billsec`), disposition, channels of both sides, number dialled,
account code. A ring group or a queue writes a line per phone that rang, a transfer two or three.
Lines between two `Local/` channels repeat a leg and are ignored.

They hold no price. The number may be that of a queue, a feature code or `s`.

## Test

Call out, talk for a few seconds, hang up. Then

    tollhouse pbx check agen_office

must show that line, raw and parsed. If it stops at *files*: does `Master.csv` on the PBX grow? If
not, `cdr show status`; if so, the way it takes to the folder. If it stops at *host key*, *login* or
*folder*: the connection, or the rights of its account. If it stops at *tickets*: the columns differ
from those of the entry.
"""

from tollhouse.pbx import FileDefaults, Framing, Model

MODEL = Model(
    model_id="asterisk_csv",
    title="Asterisk (Master.csv)",
    transports=("dropped_files", "remote_files"),
    framing=Framing(kind="lines"),
    encoding="utf-8",
    files=FileDefaults(pattern="Master.csv*"),
)
