"""Alcatel-Lucent OmniPCX Enterprise (OXE, OmniPCX 4400): tickets over TCP, or its TAX files.

The main processor listens on TCP 2533. The collector greets it and is sent each ticket as a block,
with the same content that the PBX writes to its TAX files; a ticket has 525 characters in version
ED5.2. No text of the manufacturer describes the link: it is spoken as working collectors do. The
files wait for 31 days, whatever happens here, and come with a delay.

## In the PBX

| option | value | why |
|---|---|---|
| licences | 51 (metering on the fly), 83 (accounting over Ethernet) | open the port |
| Applications, Accounting: internal accounting | Yes | makes the tickets |
| Accounting: real-time output | Ethernet | Ethernet and V24 exclude each other |
| Accounting: external accounting | Yes | keeps the TAX files, from which lost tickets can be had |
| Number of days of storage | 31 | how long those files stay |
| Filters | all directions, zero units too | a direction that never comes is a filter |
| Masking of numbers | No | normal, business and personal calls can each be masked |

## Network and connection

Open TCP 2533 from the machine of the collector to the processors. The connection, with no login:

    AIRFLOW_CONN_PBX_BREST_PORT=tcp://192.0.2.20:2533

Where there are two processors, name the address that follows the main one. A processor on stand-by
says so; the collector shows it and tries again.

`time_zone` of the entry is the zone of the PBX's clock.

## Files

The PBX keeps its tickets in `/usr4/account`, in files named `TAX` with five letters and `.DAT`.
They are compressed, though their name does not say so, and the first line of what is in them names
the columns: those of any version are found by it. That needs external accounting and the days of
storage above, and an account that may log in by FTP and read this folder, best one of its own. The
entry and the connection:

    transport: remote_files

    AIRFLOW_CONN_PBX_BREST_PORT='{"host": "192.0.2.20", "login": "tollhouse", "password": "…"}'

`settings` may hold `protocol: sftp` where the PBX speaks it, with the fingerprint of its key in the
connection (`"extra": {"host_key": "SHA256:…"}`), and `ftp_mode: active` where passive FTP is shut
out. The files stay on the PBX, which deletes them itself: two weeks without this machine lose
nothing.

Where another program already fetches them, let it drop them here, as they are (in binary mode):

    transport: dropped_files
    settings:
      folder: drop/brest_port

A file that is still being written is read as far as it goes, and again when it is longer: what
landed is recognised.

**One way at a time.** To fetch what was lost while nobody was connected, give the same entry the
other transport for a while: a ticket that landed as a block and comes again as a line of a file
counts once, as long as the PBX writes the same characters in both; blanks behind it do not matter.

## Pitfalls

- **One client only.** Stop every other program that reads the port.
- **The PBX asks whether its client is alive**, and hangs up on one that is silent. When 31 seconds
  pass without a word, the collector takes the PBX for gone and connects anew. On a switch-over the
  link closes.
- **What the PBX does with tickets while nobody is connected is not known.** The TAX files hold
  them; `tollhouse parse` reads them too, compressed or not.
- With one processor the first tickets may come minutes after connecting.
- `FF FF` as the answer is a VPN client that poses as the PBX: check the route.
- **Versions other than ED5.2** have other columns, in another order or fewer. A file names them in
  its first line; the link does not, so there such tickets are rejected as `unknown_version`: read
  the files. A file that names no called or charged number, type, start, end or duration is rejected
  as `column_not_named`.
- A network of nodes can make a ticket per node for one call; let the PBX filter those.

## What the tickets hold

Start and end, waiting (ring) time and duration in seconds, the extension that pays with name, cost
centre and company, who called, the number called and the one first dialled, type of call, trunk
group, business or personal code (read as the account code), call reference, metering pulses. The
cost is there too, in a unit that is not known: it is kept in the raw ticket and not read, so as far
as Tollhouse is concerned they hold no price. A transfer makes a ticket per extension that pays.
Configuration changes and voice quality come over the same link and are ignored.

## Test

Call out from an extension, talk for a few seconds, hang up. Then

    tollhouse pbx check brest_port

must show that call, raw and parsed. If it stops at *collector*: start it with `make up` or
`tollhouse collector run`. If it stops at *port*: licences, real-time output, firewall, or the
processor on stand-by. If it stops at *login*, *folder* or *files*: the account, its rights on the
folder, external accounting; or files that another program fetched as text. If it stops at
*tickets*: the filters above.
"""

from tollhouse.pbx import FileDefaults, Framing, Model, StreamDefaults

MODEL = Model(
    model_id="alcatel_oxe",
    title="Alcatel-Lucent OmniPCX Enterprise (OXE, 4400)",
    transports=("spooled_stream", "remote_files", "dropped_files"),
    # Latin-1 keeps the columns: they count bytes, whatever a name is written in.
    framing=Framing(kind="blocks", maximum_bytes=4_096),
    stream=StreamDefaults(direction="dial", port=2533, dialogue="oxe_blocks"),
    files=FileDefaults(
        pattern="[Tt][Aa][Xx]*.[Dd][Aa][Tt]",
        remote_protocol="ftp",
        remote_folder="/usr4/account",
        remedy=(
            "External accounting must be on, and the filters of accounting must let the calls "
            "through; the newest files of /usr4/account must have arrived, in binary mode."
        ),
    ),
)
