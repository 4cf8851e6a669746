"""Unify OpenScape Business (and OpenScape Office): tickets over TCP, brought by the PBX.

The PBX is the client: when a call with an outside party ends it connects to the collector, keeps
the connection open and sends a line of text whose elements are separated by `|`. There is no login
and no acknowledgement.

## In the PBX

*OpenScape Business Assistant* (WBM), mode *Basic Setup* or *Assistant*, *Central Telephony*, *Call
Detail Recording*: switch *Activate call charges* on, *OK & Next*, leave the wizard. Then in *Expert
mode*, *Telephony Server*, *Call Charges*:

| page | option | value | why |
|---|---|---|---|
| Output Format | Compressed output format | yes | no column names between the tickets |
| Output Format | Call duration | yes | **without it every call reads as not answered** |
| Output Format | Ring duration | yes | start of the call, missed calls |
| Output Format | Incoming calls | yes | missed calls, load of the lines |
| Output Format | Output MSN | yes | bills by direct number; the number dialled from outside |
| Output Format | Outgoing calls without connection | yes | attempts |
| Output Format | On ringing | no | a line per set that begins to ring; read and ignored |
| Output Format | Suppress last 4 digits | no | such numbers are rated by what is left of them |
| Output Format | Output LCR number | as you like | adds an element; both forms are read |
| Output Format | Amounts instead of units | no | if yes, set `charge_currency` below |
| Output | Output | LAN TCP client | |
| Output | IP address, port | the collector's, 6000 | |

Menus differ a little between releases; the German names of the elements are Datum, Uhrzeit, Lt
(trunk), Tln (extension), Ruf (ring), Dauer, Rufnummer, Betrag, I (information code).

## Network and connection

Open TCP 6000 from the PBX to the machine of the collector. The connection names the address and the
port on which the collector listens:

    AIRFLOW_CONN_PBX_REIMS_CELLAR=tcp://192.0.2.20:6000

The entry names who may connect, or only this machine may:

    settings:
      allowed_peers: [192.0.2.10/32]

## Files

A line is lost where nobody listens; files wait. Where the PBX keeps them in a folder that it gives
by FTP, let them be fetched; where it hands them over by TFTP, a TFTP server on this machine takes
them into a folder. Either way the tickets are those of the output format above.

    transport: remote_files          # it keeps them: by FTP, or protocol: ftps, sftp
    settings:
      folder: /cdr
      pattern: "*.txt"

    AIRFLOW_CONN_PBX_REIMS_CELLAR='{"host": "192.0.2.10", "login": "tollhouse", "password": "…"}'

    transport: dropped_files         # it hands them over
    settings:
      folder: drop/reims_cellar

TFTP knows no login: let the server take files of the PBX's address only, and overwrite none
(`tftpd-hpa` with `--create` and without `--permissive`). A file that comes twice lands once.

In files the fixed columns of HiPath 3000 (112 characters) are read as well, where the PBX was set
up so; each line is recognised by its shape. **One way at a time**: to fetch what was lost over TCP,
give the same entry the other transport for a while. The same line counts once then; a ticket that
had `|` over TCP and is in columns in the file counts twice, so keep the format.

`time_zone` of the entry is the zone of the PBX's clock. `settings` may also hold `charge_currency:
EUR`, where the PBX writes amounts and no units.

## Pitfalls

- **The time on a ticket is the end of the call.** Start and answer follow from it and the two
  durations, so a clock that is set during a call moves its start.
- **Another model on the port.** A HiPath 3000 sends fixed columns without any `|`. Over TCP they
  are rejected with the reason `line_of_siemens_hipath`: the entry should say `model:
  siemens_hipath`, or the PBX should be told the separator `|`.
- **One collector only**: the PBX has one address to send to. What it does with tickets while nobody
  listens depends on the release; leave the collector on, it needs neither Airflow nor the database.
- Until its clock is set a PBX writes `01.01.00`. Such lines are rejected and listed by `tollhouse
  reconcile`; the day of a call is never guessed.
- Internal calls are not ticketed. A transferred call is a line per extension, each with its own
  part of the conversation; nothing on the lines ties them together.
- An outgoing call on a trunk that does not report the answer counts from the dialling on; see
  `answer_threshold_seconds` in docs/configuration.md.
- The project code is taken as the account code. On some systems that element holds the number
  dialled from outside.

## What the tickets hold

End (day, month, two digits of the year, time to the second), trunk, extension, ring and
conversation time, the number outside, charge, information code (incoming or outgoing, transferred,
forwarded), project code, MSN. The extension is the one that answered, or the last one that was
called. The ring time stops at 59:59 and the conversation at 23:59:59; what reaches that is marked
as estimated.

They hold units where the trunk sends them (or amounts, see above), else they hold no price, and no
name.

## Test

Call out from an extension, talk for a few seconds, hang up. Then

    tollhouse pbx check reims_cellar

must show that call, raw and parsed. If it stops at *collector*: start it with `make up` or
`tollhouse collector run`. If it stops at *port* or no PBX ever connected: address and port on the
page *Output*, firewall. If it stops at *tickets*: the options above.
"""

from tollhouse.pbx import FileDefaults, Framing, Model, StreamDefaults

MODEL = Model(
    model_id="unify_openscape",
    title="Unify OpenScape Business",
    transports=("spooled_stream", "remote_files", "dropped_files"),
    framing=Framing(kind="lines", maximum_bytes=4_096),
    stream=StreamDefaults(direction="listen", port=6000),
    files=FileDefaults(
        pattern="*",
        remote_protocol="ftp",
        remedy=(
            "On the PBX's pages for call charges the output must be TFTP to this machine; the TFTP "
            "server must run and be able to create files in the folder."
        ),
    ),
)
