"""Aastra and Mitel A5000 (NeXspan, Matra MC6500): tickets captured, not yet read.

**The layout of the tickets (V1, V2) is not public.** Tollhouse collects every line, keeps it as it
came and rejects it with the reason `layout_not_confirmed`: nothing is guessed, nothing is billed,
nothing is lost. When the layout is known, what was kept is read again. See *Reading the tickets*.

There are two ways. In **real time** the PBX is the server: a gateway in it (TCP to X.25) joins a
port to its ticket server, MUFACT, which sends a ticket when a call ends. There is no login.
**Buffered**, it keeps its tickets in files, which are fetched from its web manager.

## In the PBX

Under *System*, *Configuration*, *Tickets*, *Ticket parameters*:

| option | value | why |
|---|---|---|
| Use of format 4500 | No | another layout |
| Real-time output (*fil de l'eau*) | Yes, link PAD | sends each ticket as it is made |
| Output format | V2 | V1 where the licence for V2 is missing |
| Trunk identified by | card and channel | |
| Cut the last 4 digits | No | |
| Call type | incoming and outgoing | |
| Suppress tickets without charge | No | otherwise calls are missing |

Under *Network and links*, *Data links*, for the servers KITAXE and MUFACT: in service, maximum
packet data size 256, requested charging not accepted; for MUFACT the call number of KITAXE, 9012
for the address 012. Under *TCP/IP and X25 gateway*: a free port, 3200 for example, and the X.25
number of MUFACT.

## Network and connection

Open the port from the machine of the collector to the PBX. The connection, with no login:

    AIRFLOW_CONN_PBX_NANTES_DEPOT=tcp://192.0.2.30:3200

## Buffered, over HTTP

The PBX can also keep its tickets in files, a new one every hour, say, which its web manager lists
under `/trf/backup/pc/tickets/`. That is the safer way: they wait while nobody reads them. Under
*System*, *Configuration*, *Tickets*, *Ticket parameters*, *Exported files compressed* may be yes or
no: both are read. *System*, *Configuration*, *Tickets*, *Built-in buffer*, *List of ticket files*,
*Telephone tickets* shows whether files are made. The entry, and the connection with the login of
the web manager:

    transport: remote_files

    AIRFLOW_CONN_PBX_NANTES_DEPOT='{"host": "192.0.2.30", "login": "tollhouse", "password": "…"}'

`settings` may hold `protocol: https` where the web manager speaks it, a longer `folder` where a
path stands before `/trf`, and a `pattern` where other files lie there too. Basic and digest login
are answered, whichever the PBX asks for. Over plain HTTP whoever listens reads the tickets, and
with basic login the password: keep that network apart.

How these files are named and compressed is not public: gzip, compress, zip, bzip2 and xz are
recognised by their content. What is none of these is kept as it is, in pieces. Files that another
program fetched are read from a folder (`transport: dropped_files`, `settings: {folder: …}`).

## Pitfalls

- **One reader only.** Stop every other program on the port, a terminal left open included.
- Telephone tickets are one family among several on the link. Which line is which cannot be told
  yet: all are kept.
- Whether the PBX sends again what nobody read is not known. Leave the collector on.
- Changing the output format changes the layout: note the day.
- "Mitel 5000 CP" is another product, with other tickets.

## What the tickets hold

Not known, and so they hold no price, number or time as far as Tollhouse is concerned: `tollhouse
reconcile` counts them as rejected.

## Reading the tickets

`include/layouts/aastra_a5000_v1.yml` and `aastra_a5000_v2.yml` are templates, one for each output
format: they say what is known and claim nothing. The entry names the one that is to read its
tickets:

    settings:
      layout: aastra_a5000_v2

Nothing is read until that layout is filled in and says `confirmed: true`:

1. `tollhouse layout draft FILE` looks at a stretch of the capture and writes a first version;
2. put its `tickets` and `columns` into the template;
3. `tollhouse layout check aastra_a5000_v2 FILE…` shows what would be parsed, rejected and ignored;
4. `confirmed: true` reads tickets from now on;
5. `tollhouse replay --pbx nantes_depot --since 2026-10-01` reads what was kept.

### Send in a capture

At least 20 tickets make a layout: a stretch of `tollhouse collector tail nantes_depot`, and a list
kept by hand of the same calls (who called whom, when, how long it rang, how long they talked), so
that each column can be proven. Say which output format and release it is. Replace the last digits
of numbers by others of the same length.

## Test

Call out from an extension, hang up. Then

    tollhouse pbx check nantes_depot

must show a line, raw and rejected. If it stops at *login* or *folder*: open the address of the
listing in a browser with the same login. If it stops at *collector*: start it with `make up` or
`tollhouse collector run`. If it stops at *port*: the gateway above, address, firewall.
"""

from tollhouse.pbx import FileDefaults, Framing, Model, StreamDefaults

MODEL = Model(
    model_id="aastra_a5000",
    title="Aastra / Mitel A5000, NeXspan, MC6500 (capture only)",
    transports=("spooled_stream", "remote_files", "dropped_files"),
    # What ends a ticket is not known: a line feed is a guess that loses nothing when it is wrong.
    framing=Framing(kind="lines", maximum_bytes=4_096),
    stream=StreamDefaults(direction="dial", port=3200),
    files=FileDefaults(
        pattern="*",
        remote_protocol="http",
        remote_folder="/trf/backup/pc/tickets/",
        remedy=(
            "In the web manager, Tickets > Built-in buffer > List of ticket files must show a new "
            "file; one is made every hour."
        ),
    ),
    read_by_layout=True,
)
