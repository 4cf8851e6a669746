"""ShoreTel: call records as lines of text, over TCP or in the server's daily files.

When a call over a trunk ends, the ShoreTel server writes a line: to a file of the day, and, where a
serial port was chosen, to that port, from which a serial device server brings it over TCP.

## In the PBX

In *ShoreWare Director*, *Reporting*, *Options*:

| option | value | why |
|---|---|---|
| Generate CDR (on older releases always on) | Yes | without it nothing is written |
| Retention of text files | 30 days or more | how far back they can be fetched again |
| CDR Archive to COM port | COM1 …, for TCP | the same lines, as they are written |

## Network and connection

**Over TCP (the default)**, since lines then arrive as calls end and nothing on the server has to
be shared. ShoreTel itself opens no connection: connect the COM port to a serial device server and
set that to *TCP client*, address of the collector, port 4001. The connection names the address and
the port on which the collector listens:

    AIRFLOW_CONN_PBX_NANCY_LABS=tcp://192.0.2.20:4001

A device that is set to *TCP server* is dialled instead: `settings` of the entry hold
`direction: dial`, and the connection names the device:

    AIRFLOW_CONN_PBX_NANCY_LABS=tcp://192.0.2.18:4001

**From files**, where there is no COM port (virtual servers), or where the last days are to be read
again: let the server copy its files `CDR-MMDDYY.log` into a folder here, every few minutes, by a
scheduled task over a share or SFTP. No Airflow Connection is needed. The entry:

    transport: dropped_files
    settings:
      folder: drop/nancy_labs

The file of today grows: each pull lands what was added. So `after_landing` stays `keep`, and files
that are older than a month are deleted by the task that copied them.

Or let the files be fetched, from an SFTP or FTP server on that machine (Windows brings one as an
optional feature each) that shows the folder of the files, read only:

    transport: remote_files
    settings:
      folder: /cdr

    AIRFLOW_CONN_PBX_NANCY_LABS='{"host": "192.0.2.20", "login": "tollhouse", "password": "…",
      "extra": {"host_key": "SHA256:…"}}'

`protocol: ftps` or `ftp` in `settings` says so where it is no SFTP.

Use one way at a time: a line that arrives both ways in one entry is recognised and counted once, if
it is the same but for blanks at its end.

`time_zone` of the entry is the zone of the server's clock.

## Pitfalls

- **A COM port keeps 300 seconds of lines** when the device does not take them. Longer breaks are in
  the files only.
- **A copy must be whole.** A file that was copied in the middle of a line is read again as soon as
  it is longer; copy to another name and rename, or copy in place, but never append.
- **A call that passes midnight is in the file of the day it ended**, with the date of its start.
- **Calls within the house are not recorded**, nor which direct number was dialled from outside:
  incoming calls show the extension that had the call last.
- **Call numbers begin again** when the server restarts; the start belongs to the identity.
- Columns moved between releases 6.1 and 7.5. Each line is recognised by its own shape, and one that
  lost a character is rejected.
- A tandem call (trunk to trunk) has a line per trunk; the one that goes out is billed.

## What the tickets hold

Start to the second, duration, extension, direction, number dialled (without the access code) or
caller, trunk group, account code. A caller may be a word, such as *blocked* or
*unavailable*: then there is no number. They do not say how long a call rang, nor, with certainty,
that it was answered: a duration of zero is a missed call. On trunks without answer supervision see
`answer_threshold_seconds` in docs/configuration.md.

They hold no price.

## Test

Call out from an extension, talk for a few seconds, hang up. Then

    tollhouse pbx check nancy_labs

must show that call, raw and parsed. If it stops at *collector*: start it with `make up` or
`tollhouse collector run`. If it stops at *port* or nobody ever connected: the serial device server,
its speed and parity, the firewall. If it stops at *files*: the folder and the task that copies. If
it stops at *tickets*: the COM port in *Reporting*, *Options*.
"""

from tollhouse.pbx import FileDefaults, Framing, Model, StreamDefaults

MODEL = Model(
    model_id="shoretel",
    title="ShoreTel",
    transports=("spooled_stream", "dropped_files", "remote_files"),
    framing=Framing(kind="lines", maximum_bytes=4_096),
    # The guides end a record with CR alone; what follows it belongs to framing.
    stream=StreamDefaults(direction="listen", port=4001, line_end=b"\r"),
    files=FileDefaults(
        pattern="[Cc][Dd][Rr]-[0-9][0-9][0-9][0-9][0-9][0-9].[Ll][Oo][Gg]",
        remedy=(
            "In ShoreWare Director, Reporting > Options, Generate CDR must be on; the task that "
            "copies the day's file must have run."
        ),
    ),
)
