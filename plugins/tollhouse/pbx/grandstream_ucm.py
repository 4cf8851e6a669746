"""Grandstream UCM6xxx: call records pushed over TCP as they are made, or asked for by its CDR API.

In real time the PBX is the client: for each record it connects to the collector, sends a document
(JSON, XML or CSV, as it is set up) and closes. Each document is recognised by itself, so the
setting can be changed at any time. Newer firmware can push by HTTP instead, to the same port.

The CDR API is the other way: each pull asks the PBX over HTTPS. It needs no collector, and reads
what the PBX has kept for months; a call appears with the next pull and not at once. It is chosen by
`transport: http_api` in the entry.

## In the PBX

Real-time output needs firmware 1.0.17, build 16 (UCM62xx, UCM6510) or 1.0.5, build 4 (UCM630x), or
newer. In the web page of the PBX, *Value-added Features* (older: *CDR*), *API Configuration*, tab
*CDR Real-Time Output Settings*:

| option | value | why |
|---|---|---|
| Enable | yes | |
| Server Address | of the machine of the collector | |
| Port | 7777 | |
| Delivery method | TCP; HTTP is read too | newer firmware only |
| Format | JSON; XML is read too | newer firmware only; without the option it is CSV |

With HTTP the address is `http://ADDRESS:7777/`; the path does not matter. With HTTPS switch `tls`
on for this entry (docs/configuration.md).

### The CDR API

In *Value-added Features*, *API Configuration*, tab *HTTPS API Settings (New)*: enable it, give it a
user name and a password of its own, and admit the address of this machine and no other. UCM61xx and
old firmware have the older settings alone (*HTTPS API Settings (Old)*, port 8443): set them, and
write `cdr_api: old` into the `settings` of the entry.

## Network and connection

Open TCP 7777 from the PBX to the machine of the collector. The connection names the address and the
port on which the collector listens:

    AIRFLOW_CONN_PBX_TOURS_SHOP=tcp://192.0.2.22:7777

For the CDR API open TCP 8089 (the older one: 8443) from this machine to the PBX instead:

    AIRFLOW_CONN_PBX_TOURS_SHOP='{"conn_type": "https", "host": "192.0.2.22", "port": 8089,
      "login": "cdrapi", "password": "…", "extra": {"tls_ca": "certificates/tours.pem"}}'

The PBX comes with a certificate that it made for itself: give it one of your own authority, or save
the one that it has as a PEM file. `extra.tls_ca` names the file, below `var/`; where the
certificate names the PBX otherwise than `host` does, `extra.server_name` says how. Old boxes have
one that names nothing, has expired or has a weak key: give its SHA-256 fingerprint as
`extra.tls_fingerprint`, and `extra.old_tls: true` where the box knows no TLS 1.2. Timeouts, pages
and proxies: docs/configuration.md.

`time_zone` of the entry is the zone of the PBX's clock.

## Pitfalls

- **While nobody listens the PBX keeps 10,000 records** and loses what comes after. It sends them
  later, all at once: calls are dated by what the records say and never by their arrival.
- **The clock of the PBX follows rules of its own.** When it is an hour off its zone, because it
  changes to summer time where the country does not or the other way round, records show it: they
  name the second in UTC in which the call began. Such times are put right.
- **The record number begins anew each month.** It tells the legs of a call apart and no calls.
- A call with several legs (a transfer, a ring group, voicemail after a busy phone) is a record per
  leg, tied by the session. Exports hold such a call as a group with a sum on top; the sum is
  ignored.
- In a ring group the leg of the member who answers counts from the first ring on, so a call can
  look a few seconds longer than it was.
- An outgoing call on an analogue trunk counts from the dialling on; see `answer_threshold_seconds`
  in docs/configuration.md.
- Answers of the CDR API and CSV exports of the web page are read as well: `tollhouse parse --model
  grandstream_ucm FILE`.
- **The CDR API finds a call by its start and tells it when it has ended**: each pull reads the 26
  hours before the last call again (`overlap_hours`); nothing doubles. A call that lasted longer is
  found by a run over that day.
- **Changing an entry from one transport to the other** is possible at any time: delete its Variable
  `idlast__ID` (docs/configuration.md), since the two count differently. What came both ways is
  found by session and record number, and counted once.

## What the tickets hold

Start, ringing and conversation to the second, caller and called number, direction (internal,
inbound, outbound, or external: from trunk to trunk), outcome, extension, names of the trunks,
account code, ring group or queue, name of the caller, session. What voicemail or a voice menu
answered is marked as answered by a machine.

They hold no price.

## Test

Call out from an extension, talk for a few seconds, hang up. Then

    tollhouse pbx check tours_shop

must show that call, raw and parsed. In real time: if it stops at *collector*, start it with `make
up` or `tollhouse collector run`. If it stops at *port* or no PBX ever connected: server address and
port in the tab above, firewall. If it stops at *tickets*: the option *Enable*, the firmware. Over
the CDR API it tells a certificate that is not trusted, a wrong password and a missing permission
apart, and says what helps.
"""

from tollhouse.pbx import ApiDefaults, Framing, Model, StreamDefaults

MODEL = Model(
    model_id="grandstream_ucm",
    title="Grandstream UCM6xxx",
    transports=("spooled_stream", "http_api"),
    framing=Framing(kind="documents", maximum_bytes=1_048_576),
    encoding="utf-8",
    stream=StreamDefaults(direction="listen", port=7777, dialogue="documents", connections="many"),
    api=ApiDefaults(api="grandstream", port=8089),
)
