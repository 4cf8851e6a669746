"""Mitel 3300 (MiVoice Business): tickets over TCP, taken from the PBX by the collector.

The 3300 is the server: it listens on TCP 1752, and whoever connects is sent a line of text (SMDR)
for each call that ends. There is no login and no acknowledgement.

## In the PBX

Under *System Administration*, *System Options*, *SMDR Options Assignment*:

| option | value | why |
|---|---|---|
| SMDR Record Transfer | Yes | sends records to the port; without it nothing comes |
| SMDR File Transfer | No | files are another way out |
| Report Outgoing Calls | Yes | what is billed |
| Report Incoming Calls | Yes | missed calls, load of the lines |
| Report Internal Calls | No | they cost nothing; Yes is read too |
| Report Internal Unanswered Calls | No | |
| Report Account Codes | Yes | bills by account code |
| Report Meter Pulses | No | Yes cuts dialled numbers at 20 digits; set `meter_pulses: true` |
| SMDR Meter Unit Per Station | Yes | |
| DASS II - Call Charge Information Provided | No | |
| Network Format | Yes | the originator stands before the digits; wants the voice network option |
| Standardized Network OLI | Yes | the caller's number where a call came over another node |
| Standardized Call ID Format | Yes | ties the legs of a transferred call together |
| Report Transfers (MCD) | No | a transfer is one record with a third party |
| Extended Digit Length | No | Yes widens the columns; the layout is found line by line |
| Extended Time To Answer | No | |
| SMDR Extended Reporting Level 1, Level 2 | No | Level 2 adds seconds to the start; read too |
| Twenty-four Hour Time Reporting | Yes | otherwise set `clock_hours: 12` |
| Time Change Reporting | Yes | a line when the clock is set; it is kept and ignored |
| Suite Services Reporting | No | |
| Report Attendant Name | No | |

Give the PBX's port a width that holds the record: 132 columns or more. At 80 the record is sent in
two lines, which are joined when they arrive together.

## Network and connection

Open TCP 1752 from the machine of the collector to the PBX. The connection, with no login:

    AIRFLOW_CONN_PBX_PARIS_HQ=tcp://192.0.2.10:1752

`time_zone` of the entry is the zone of the PBX's clock. `settings` may hold `clock_hours: 12` and
`meter_pulses: true`, as the options above.

## Pitfalls

- **One collector only.** On connect the PBX hands over what it kept and forgets it. A second
  program on the port (an old billing system, a terminal left open) takes tickets that then never
  arrive here. Stop it first. Never look at the port by hand: `tollhouse collector status` and
  `pbx check` ask the collector and do not connect. `pbx check --dial` does when no collector runs,
  and what the PBX hands over in that instant is lost.
- **The PBX keeps a limited number of records** and loses the oldest when nobody fetches them. The
  collector needs neither Airflow nor the database, so leave it on when those are down.
- **A quiet line is not a broken one.** Nothing is sent between calls; the entry's
  `silent_after_hours` says when silence is worth a look.
- Options changed later change the columns. Each line is recognised by its own shape. Every line is
  kept: one without a date where tickets have it is an event of the PBX and is ignored; a damaged
  ticket is rejected with its reason and listed by `tollhouse reconcile`.

## What the tickets hold

Start (month, day, hour, minute: no year, and no seconds unless Level 2), conversation time, ring
time, calling and called party, trunk, digits, account code, third party of a transfer. A ticket is
written when the call ends, so the order is that of the ends. The year follows from the day of
arrival. On a trunk without answer supervision the PBX cannot know when a call was answered: such
durations are marked as estimated; see `answer_threshold_seconds` in docs/configuration.md.

They hold no price (unless meter pulses are on) and no name.

## Test

Call out from an extension, talk for a few seconds, hang up. Then

    tollhouse pbx check paris_hq

must show that call, raw and parsed. If it stops at *collector*: start it with `make up` or
`tollhouse collector run`. If it stops at *port*: `SMDR Record Transfer`, address, firewall. If it
stops at *tickets*: the report options above, or another program on the port.
"""

from tollhouse.pbx import Framing, Model, StreamDefaults

MODEL = Model(
    model_id="mitel_3300",
    title="Mitel 3300 / MiVoice Business",
    transports=("spooled_stream",),
    # A port of 80 columns wraps each record: the rest comes as a line without a date at its head.
    framing=Framing(
        kind="lines",
        wrap_columns=80,
        ticket_start=r"^(@\d{8}@)?[ %+-]?\d\d/\d\d[ _]",
        maximum_bytes=4_096,
    ),
    stream=StreamDefaults(direction="dial", port=1752),
)
