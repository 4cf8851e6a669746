"""Avaya IP Office (SMDR): tickets over TCP, brought by the PBX or fetched from it.

When a call ends, or a part of a call that was transferred, the IP Office writes a line of fields
separated by commas. Given an address, it connects there and sends each line; without one, it
listens and hands over what it kept to whoever connects. There is no login and no acknowledgement.

## In the PBX

In *IP Office Manager* or *Web Manager*, *System*, *SMDR* (a change needs *Save Configuration*, and
on some releases a restart):

| field | value | why |
|---|---|---|
| Output | SMDR Only | sends records; nothing else has to be installed |
| IP Address | the collector's | the PBX connects; left at zeros it listens, see below |
| TCP Port | 1080 | as in the connection below |
| Records to Buffer | 3000 | 500 by default; the oldest are lost when nobody takes them |
| Call Splitting for Diverts | off | on writes a forwarded call twice, with one call id |

Names of users and lines are written as they are, without quotes. **Keep commas out of them**: a
comma moves all fields after it, and such a line is rejected and waits for a person.

## Network and connection

Open TCP 1080 from the PBX to the machine of the collector. The connection names the address and the
port on which the collector listens:

    AIRFLOW_CONN_PBX_NICE_HOTEL=tcp://192.0.2.20:1080

The entry names who may connect, or only this machine may:

    settings:
      allowed_peers: [192.0.2.10/32]

If the PBX's address field holds zeros, the collector dials it instead: `settings` of the entry hold
`direction: dial`, the connection names the PBX, and TCP 1080 is opened the other way round:

    AIRFLOW_CONN_PBX_NICE_HOTEL=tcp://192.0.2.10:1080

`time_zone` of the entry is the zone of the PBX's clock (its *System* time, with its DST settings).

## Files

Older sites ran Avaya's *Delta Server*, or a program called *Alchemy*, which writes the same lines
into a CSV file a day, with a line of column names. An entry with `transport: dropped_files` reads
them from a folder:

    transport: dropped_files
    settings:
      folder: drop/nice_hotel

Where the machine of that program has an SFTP or FTP server, its files are fetched instead:

    transport: remote_files
    settings:
      folder: /smdr

    AIRFLOW_CONN_PBX_NICE_HOTEL='{"host": "192.0.2.20", "login": "tollhouse", "password": "…",
      "extra": {"host_key": "SHA256:…"}}'

`protocol: ftps` or `ftp` in `settings` says so where it is no SFTP.

The file of today grows: each pull lands what was added, so `after_landing` stays `keep`. **One way
at a time**: to fetch what was lost over TCP, give the same entry the other transport for a while.
The same line counts once then; a program that adds or drops columns makes it two calls.

## Pitfalls

- **One collector only.** The PBX has one address to send to; when it listens, its first client
  takes what was kept. Stop the old billing system first.
- **Late connections bring a burst.** Whatever was buffered comes at once, oldest first. A record
  that was being sent when the line broke may come again: the same line in another delivery is a
  duplicate, counted once.
- **Call ids begin again at 1,000,000** when the PBX restarts. Legs of a call are tied by call id
  and start together, so two calls of the same id are not mixed up.
- **Dialled and called number differ** by the digit that seizes a line: the called number is rated,
  it has none. The entry says `outside_line_policy: never`.
- A missed dial within the house is written as an outgoing attempt that seized no line. It counts as
  failed and costs nothing.
- Analogue and SIP lines often report no answer: their ring time is 0 and the connection counts from
  the dialling on. See `answer_threshold_seconds` in docs/configuration.md.
- A twinned mobile makes an outside record before that of the extension.

## What the tickets hold

Start (to the second; on some old releases to the minute), connected, ring, hold and park time,
caller, called and dialled number, account code, both parties with their devices and names, whether
another segment follows, and who sent a call to the outside. Ringing, holding and parking are not
conversation. Charge, currency and units are there where the exchange sends advice of charge (AoC).
Without it they hold no price.

From trunk to trunk nobody inside talks. Such a call belongs to the user who sent it there, by the
name that the PBX gives: list that name as an extension of its owner.

## Test

Call out from an extension, talk for a few seconds, hang up. Then

    tollhouse pbx check nice_hotel

must show that call, raw and parsed. If it stops at *collector*: start it with `make up` or
`tollhouse collector run`. If it stops at *port* or no PBX ever connected: address and port on the
page *SMDR*, firewall. If it stops at *tickets*: *Output* is not *SMDR Only*, or another program
takes them.
"""

from tollhouse.pbx import FileDefaults, Framing, Model, StreamDefaults

MODEL = Model(
    model_id="avaya_ipoffice",
    title="Avaya IP Office",
    transports=("spooled_stream", "dropped_files", "remote_files"),
    framing=Framing(kind="lines", maximum_bytes=4_096),
    encoding="utf-8",
    stream=StreamDefaults(direction="listen", port=1080),
    files=FileDefaults(
        pattern="*.[Cc][Ss][Vv]",
        remedy=(
            "The program that writes the files must be running and be the one to which the PBX "
            "sends (System > SMDR); does today's file grow?"
        ),
    ),
)
