"""Alcatel-Lucent OmniPCX Enterprise (OXE, OmniPCX 4400): tickets in real time, over TCP.

The main processor listens on TCP 2533. The collector greets it and is sent each ticket as a block,
with the same content that the PBX writes to its TAX files; a ticket has 525 characters in version
ED5.2. No text of the manufacturer describes the link: it is spoken as working collectors do.

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

## Pitfalls

- **One client only.** Stop every other program that reads the port.
- **The PBX asks whether its client is alive**, and hangs up on one that is silent. When 31 seconds
  pass without a word, the collector takes the PBX for gone and connects anew. On a switch-over the
  link closes.
- **What the PBX does with tickets while nobody is connected is not known.** The TAX files in
  `/usr4/account` hold them; `tollhouse parse` reads them, compressed or not.
- With one processor the first tickets may come minutes after connecting.
- `FF FF` as the answer is a VPN client that poses as the PBX: check the route.
- **Versions other than ED5.2** have other columns. A file names them in its first line; the link
  does not, so there such tickets are rejected as `unknown_version`. Send a TAX file.
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
processor on stand-by. If it stops at *tickets*: the filters above.
"""

from tollhouse.pbx import Framing, Model, StreamDefaults

MODEL = Model(
    model_id="alcatel_oxe",
    title="Alcatel-Lucent OmniPCX Enterprise (OXE, 4400)",
    transports=("spooled_stream",),
    # Latin-1 keeps the columns: they count bytes, whatever a name is written in.
    framing=Framing(kind="blocks", maximum_bytes=4_096),
    stream=StreamDefaults(direction="dial", port=2533, dialogue="oxe_blocks"),
)
