"""Ericsson MD Evolution (CAL3, CAL4) and MD110: tickets captured over TCP, not yet read.

**The layout of the tickets is not public.** Tollhouse collects every line, keeps it as it came and
rejects it with the reason `layout_not_confirmed`: nothing is guessed, nothing is billed, nothing is
lost. When the layout is known, what was kept is read again. See *Reading the tickets*.

## In the PBX

How the MD Evolution sends is not documented publicly: its installer knows. An MX-ONE, which
followed the MD110, is the client and connects to the collector:

    callinfo_output_set -output 0 -lim 1 -type tcp -subtype asb501 -server 192.0.2.5 -port 12000
        -format "" -eol NL -record

`callinfo_output_print` shows what is set.

## Network and connection

By default the collector listens and the PBX connects. The connection names the collector's own
address and port, and `allowed_peers` in `settings` the address of the PBX:

    AIRFLOW_CONN_PBX_PAU_MILL=tcp://192.0.2.5:12000

With `direction: dial` in `settings` the collector connects instead, to the address and port of the
connection.

## Pitfalls

- What is kept for a collector that is down is not known. Leave it on.
- CAL3 and CAL4 are two layouts: note the day on which the format is changed.
- An MX-ONE can be given a format of its own; note it with the capture.

## What the tickets hold

Not known, and so they hold no price, number or time as far as Tollhouse is concerned: `tollhouse
reconcile` counts them as rejected.

## Reading the tickets

`include/layouts/md_evolution_cal3.yml` and `md_evolution_cal4.yml` are templates: they say what is
known and claim nothing. The entry names the one that is to read its tickets:

    settings:
      layout: md_evolution_cal4

Nothing is read until that layout is filled in and says `confirmed: true`:

1. `tollhouse layout draft FILE` looks at a stretch of the capture and writes a first version;
2. put its `tickets` and `columns` into the template;
3. `tollhouse layout check md_evolution_cal4 FILE…` shows what would be parsed, rejected, ignored;
4. `confirmed: true` reads tickets from now on;
5. `tollhouse replay --pbx pau_mill --since 2026-10-01` reads what was kept.

An MX-ONE with a format of its own needs a layout of its own, named likewise.

### Send in a capture

At least 20 tickets make a layout: a stretch of `tollhouse collector tail pau_mill`, and a list kept
by hand of the same calls (who called whom, when, how long it rang, how long they talked), so that
each column can be proven; of an MX-ONE the format that `callinfo_output_print` shows, too. Replace
the last digits of numbers by others of the same length.

## Test

Call out from an extension, hang up. Then

    tollhouse pbx check pau_mill

must show a line, raw and rejected. If it stops at *collector*: start it with `make up` or
`tollhouse collector run`. If it stops at *port*: nothing has connected; address and port in the
PBX, `allowed_peers`, firewall.
"""

from tollhouse.pbx import Framing, Model, StreamDefaults

MODEL = Model(
    model_id="md_evolution",
    title="Ericsson MD Evolution, MD110 (capture only)",
    transports=("spooled_stream",),
    # What ends a ticket is not known: a line feed is a guess that loses nothing when it is wrong.
    framing=Framing(kind="lines", maximum_bytes=4_096),
    stream=StreamDefaults(direction="listen", port=12000),
    read_by_layout=True,
)
