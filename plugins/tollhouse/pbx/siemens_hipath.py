"""Siemens HiPath 3000 (and Hicom 150 E): tickets over TCP, brought by the PBX, or in files.

The PBX is the client: when a call with an outside party ends it connects to the collector, keeps
the connection open and sends a line of text in fixed columns. There is no login and no
acknowledgement.

## In the PBX

In *HiPath 3000/5000 Manager E*, load the customer database, then *System Settings*, *Call Charges*:

| page | option | value | why |
|---|---|---|---|
| Output Format | Compressed output | yes | all columns, and no page heads between the tickets |
| Output Format | Call duration | yes | **without it every call reads as not answered** |
| Output Format | Incoming calls | yes | missed calls, load of the lines |
| Output Format | Call time on ringing | yes | ring duration: start of the call |
| Output Format | On ringing | no | a line per set that begins to ring; read and ignored |
| Output Format | Output MSN | yes | bills by direct number |
| Output Format | Outgoing without connection | yes | attempts |
| Output Format | Last 4 digits suppressed | no | such numbers are rated by what is left of them |
| Output Format | Amounts instead of units | no | if yes, set `charge_currency` below |
| Output | Call charge output | LAN TCP client | not V.24; TFTP makes files, see below |
| Output | IP address, port | the collector's, 6000 | |

Write the database back to the PBX. Names of menus differ a little between releases.

Where there is only the serial port, a serial device server that connects to the same TCP port does;
the control bytes that such a line sends before a ticket are passed over.

## Network and connection

Open TCP 6000 from the PBX to the machine of the collector. The connection names the address and the
port on which the collector listens:

    AIRFLOW_CONN_PBX_DIJON_BANK=tcp://192.0.2.21:6000

`time_zone` of the entry is the zone of the PBX's clock. `settings` may hold `charge_currency: EUR`
where the PBX writes amounts and no units.

## Files

With *TFTP client* the PBX hands its tickets to a TFTP server on this machine, a new file per
session, on a timer or when its memory is 80 % full. They wait while nothing runs here. The entry:

    transport: dropped_files
    settings:
      folder: drop/dijon_bank

No Airflow Connection is needed. TFTP knows no login: let the server take files of the PBX's address
only, and overwrite none.

## Pitfalls

- **The time on a ticket is the end of the call.** Start and answer follow from it and the two
  durations, so a clock that is set during a call moves its start.
- **Equal lines can be different calls.** A PBX that is called three times in the same second by the
  same number writes three equal lines; all are kept.
- **Another model on the port.** OpenScape Business, the successor, puts `|` between the elements.
  Such lines are rejected with the reason `line_of_unify_openscape`: the entry should say `model:
  unify_openscape`.
- **One collector only**: the PBX has one address to send to. What it does with tickets while nobody
  listens depends on the release; leave the collector on, it needs neither Airflow nor the database.
- Until its clock is set a PBX writes `01.01.00`. Such lines are rejected and listed by `tollhouse
  reconcile`; the day of a call is never guessed.
- Internal calls are not ticketed. A transferred call is a line per extension, each with its own
  part of the conversation; nothing on the lines ties them together. A call that is forwarded to the
  outside is two lines: one on the incoming trunk, one, which is billed, on the outgoing trunk.
- An outgoing call on a trunk that does not report the answer counts from the dialling on; see
  `answer_threshold_seconds` in docs/configuration.md.
- The project code is taken as the account code. On some systems its columns hold the number dialled
  from outside.
- The printer format (compressed output switched off) is read too, but has no project code and no
  MSN, and cuts numbers at 20 digits.

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

    tollhouse pbx check dijon_bank

must show that call, raw and parsed. If it stops at *collector*: start it with `make up` or
`tollhouse collector run`. If it stops at *port* or no PBX ever connected: address and port on the
page *Output*, firewall. If it stops at *files*: the page *Output*, the TFTP server and its rights.
If it stops at *tickets*: the options above.
"""

from tollhouse.pbx import FileDefaults, Framing, Model, StreamDefaults

MODEL = Model(
    model_id="siemens_hipath",
    title="Siemens HiPath 3000",
    transports=("spooled_stream", "dropped_files"),
    framing=Framing(kind="lines", maximum_bytes=4_096),
    stream=StreamDefaults(direction="listen", port=6000),
    # The PBX's administrator chooses the name.
    files=FileDefaults(
        pattern="*",
        remedy=(
            "On the PBX's pages for call charges the output must be TFTP to this machine; the TFTP "
            "server must run and be able to create files in the folder."
        ),
    ),
)
