r"""Aastra 400 (Ascotel IntelliGate, MiVoice Office 400): tickets in the format PC5, over TCP.

The PBX is the client: it connects to the collector and sends a line for each leg of a call that
ends. There is no login and no acknowledgement.

## In the PBX

In the web administration, *Charges*, *General configuration* (older systems: AMS, *Charge manager*,
*General configuration*, *Output interface*, with *Ethernet* as the interface):

| option | value | why |
|---|---|---|
| Outgoing call logging per connection only | No | otherwise only marked extensions are reported |
| Active service | OCL + ICL | outgoing and incoming calls; ICL brings missed calls |
| IP address, host name | the machine of the collector | |
| TCP port | 1080 | any free port; the same in the connection |
| Format OCL | PC5 | PC1 to PC4 are older and not read |
| Format ICL | PC5 | |
| Title line of outgoing calls | empty | titles are no tickets; they are kept and ignored |
| Data protection | No | otherwise the last four digits are missing |

The menus call outgoing logging OCL or OTS and incoming logging ICL or OTE.

## Network and connection

Open the port from the PBX to the machine of the collector. The connection names where the
collector listens, its own address and port, and `allowed_peers` in `settings` the address of the
PBX:

    AIRFLOW_CONN_PBX_METZ_OFFICE=tcp://192.0.2.5:1080

With `direction: dial` in `settings` the collector connects instead, to the address and port of the
connection: for a PBX behind a terminal server.

`time_zone` of the entry is the zone of the PBX's clock. The tickets name no currency: where the PBX
counts charges, `settings` says which it counts in, `charge_currency: EUR`.

## Pitfalls

- **A collector that is down can stop outgoing calls.** The PBX keeps 300 to 1,000 tickets. When
  they are half full it raises an event; when they are full it drops incoming tickets and, as it is
  configured, allows every extension emergency numbers only. The collector needs neither Airflow nor
  the database: leave it on when those are down, and watch its health.
- **Lost tickets show.** Each ticket has a serial number; `tollhouse collector status` reports a gap
  as lost tickets. The number starts anew when the PBX is initialised and after 9999.
- **Several things share the port**: page headers, asterisks between jobs, charge counters, event
  messages. A line without a tab at its head is kept and ignored.
- The date is `yymmdd` by the manufacturer's table, and the other way round in prints of the same
  manual. The first is read, the second only where the first is no day or lies ahead.

## What the tickets hold

Start of the ringing (minutes), ring time, duration, the extension, who called, what was dialled and
what was sent (under least-cost routing they differ; the dialled number is rated), direct dial
number, trunk, cost centre or account code, private or business, charge pulses and amount, and a
number (SEQ) that ties the legs of a transferred call together. A leg that was transferred to an
extension names that extension, and not who transferred it. Without charge pulses from the exchange
the tickets hold no price.

## Test

Call out from an extension, talk for a few seconds, hang up. Then

    tollhouse pbx check metz_office

must show that call, raw and parsed. If it stops at *collector*: start it with `make up` or
`tollhouse collector run`. If it stops at *port*: nothing has connected; address and port in the
PBX, `allowed_peers`, firewall. If it stops at *tickets*: active service and formats above.
"""

from tollhouse.pbx import Framing, Model, SerialNumbers, StreamDefaults

MODEL = Model(
    model_id="aastra_a400",
    title="Aastra 400 / Ascotel / MiVoice Office 400 (PC5)",
    transports=("spooled_stream",),
    framing=Framing(kind="lines", maximum_bytes=4_096),
    stream=StreamDefaults(
        direction="listen",
        port=1080,
        # 209 bytes, or 210 where the ring time has four digits; the number is at the end.
        serial=SerialNumbers(pattern=rb"^\t.{204,205}([0-9]{4})\r?\n?\Z", modulus=10_000),
    ),
)
