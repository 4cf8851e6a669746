"""Alcatel-Lucent OXE over its hotel link (AHL): frames captured over TCP, not yet read.

**The frame of a call ticket is not public.** Tollhouse records what the link says, keeps it as it
came and rejects it with the reason `layout_not_confirmed`: nothing is guessed, nothing is billed,
nothing is lost. **To account for calls, use the model alcatel_oxe instead**: the same PBX gives the
same calls there. This model is for making a capture; what to do with it: *Reading the tickets*.

The Alcatel Hospitality Link joins the PBX to the computer of a front office, over V24 or, since
release 4.1, over IP. Each frame begins with its type (`A` is a check-in, `R` the reply of the PBX)
and must be acknowledged before the next one is sent.

## In the PBX

| option | value | why |
|---|---|---|
| licences | hotel room sets, hotel AHL link, AHL over IP, health care in a network of nodes | |
| hotel mode | Yes | without it there is no link |
| supervised extensions | declared as rooms, with multiple occupation | only they are reported |
| guests | set type analogue, hotel function room, directory type guest | |

## Network and connection

The port is a setting of the PBX; there is no usual one, so the connection must name it:

    AIRFLOW_CONN_PBX_CANNES_PALACE=tcp://192.0.2.40:2561

By default the collector connects to the PBX. With `direction: listen` in `settings` it listens on
the address and port of the connection, and `allowed_peers` names the address of the PBX.

## Pitfalls

- **Never where a front office uses the link.** Tollhouse takes its place, and hears frames that
  belong to it: check-ins and wake-up calls would be lost.
- **Frames are not acknowledged**: how is not public. The PBX repeats each a configured number of
  times, so frames come several times; then it declares the link down, keeps frames for later, and
  prints tickets on its backup printer when it can keep no more. A capture is a matter of minutes.
- What ends a frame is not public either. A capture is cut at line ends where there are any, and
  every 4,096 bytes where there are none.

## What the tickets hold

Not known, and so they hold no price, number or time as far as Tollhouse is concerned: `tollhouse
reconcile` counts them as rejected.

## Reading the tickets

`include/layouts/alcatel_oxe_ahl.yml` is a template: it takes the type of a frame from the rest and
claims nothing else. Nothing is read until it is filled in and says `confirmed: true`:

1. `tollhouse layout draft FILE` looks at a stretch of the capture and writes a first version;
2. put its `tickets` and `columns` into the template;
3. `tollhouse layout check alcatel_oxe_ahl FILE…` shows what would be parsed, rejected and ignored;
4. `confirmed: true` reads tickets from now on;
5. `tollhouse replay --pbx cannes_palace --since 2026-10-01` reads what was kept.

### Send in a capture

The frames of at least 20 calls as `tollhouse collector tail cannes_palace` shows them, and a list
kept by hand of the same calls (which room called whom, when, how long they talked), so that each
column can be proven. Replace names of guests, and the last digits of numbers, by others of the
same length.

## Test

Call out from a room. Then

    tollhouse pbx check cannes_palace

must show what the link said, raw and rejected. If it stops at *collector*: start it with `make up`
or `tollhouse collector run`. If it stops at *port*: licences, hotel mode, address, firewall.
"""

from tollhouse.pbx import Framing, Model, StreamDefaults

MODEL = Model(
    model_id="alcatel_oxe_ahl",
    title="Alcatel-Lucent OXE, hotel link AHL (capture only)",
    transports=("spooled_stream",),
    framing=Framing(kind="lines", maximum_bytes=4_096),
    # No port is known as the usual one: this is the one of the guide's example.
    stream=StreamDefaults(direction="dial", port=2561),
    read_by_layout=True,
)
