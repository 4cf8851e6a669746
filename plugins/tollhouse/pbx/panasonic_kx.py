"""Panasonic KX-TDA, TDE, NCP, NS: tickets over TCP, taken from the PBX by the collector.

The PBX is the server: it listens on TCP 2300, asks for a name and a password, and then sends what
it kept and a line of text (SMDR) for each call that ends.

## In the PBX

In the maintenance console, *Maintenance*, *Main*, tab *SMDR* (*CDR* in some translations; names
vary a little between releases):

| option | value | why |
|---|---|---|
| SMDR Port | LAN | the serial port is the other choice; without LAN nothing comes |
| SMDR Format | Type C | the widest: all digits, ringing, cost and account. A and B are read too |
| Time Format | 24h | 12h is read too: each line shows which it is |
| Date Format | DD-MM-YY | for any other set `date_order`, below |
| Outgoing Call Printing | On | what is billed |
| Incoming Call Printing | On | missed calls, load of the lines |
| Intercom Call Printing | Off | they cost nothing and have no duration; On is read too |
| Log-in, check-in and other events | Off | they are kept and ignored, as page headers are |
| Condition Code RC, AN | Off | extra lines of the same call; kept and ignored |

In the tab *SMDR Options* note the port (2300 by default, 2200 on some systems) and the password
(`PCCSMDR` by default: change it, here and in the connection).

## Network and connection

Open the port from the machine of the collector to the PBX. The connection holds the name and the
password:

    AIRFLOW_CONN_PBX_ROUEN_CLINIC=tcp://SMDR:PCCSMDR@192.0.2.14:2300

`time_zone` of the entry is the zone of the PBX's clock. `settings` tell what no line shows:

| setting | default | when to set it |
|---|---|---|
| `date_order` | `dmy` | `mdy`, `ymd` or `ydm`, as *Date Format*: 03/04/26 can be any of them |
| `clock_means` | `end` | `start` on KX-TES, TEA and TEB, whose lines show when the call began |
| `charge_currency` | none | `EUR` …, where costs are printed without their currency |

## Pitfalls

- **The time is the end of the call** on TDA, TDE, NCP and NS, whatever a manual says: the start is
  that time less talking and ringing. With `clock_means` wrong, long calls fall into the wrong band
  of the tariff.
- **A wrong `date_order` is not noticed before the 13th.** Compare the first tickets with today.
- **One collector only.** What was handed over is not sent again. Stop the old billing system, and
  close the telnet window that you tried the login with.
- **The PBX keeps a limited number of lines** and overwrites the oldest when nobody fetches them.
- **No line has an identity.** A transferred call is a line per extension; they are not tied
  together. A call over a tie line between two Panasonics is on the lines of both.
- Trunks of three digits or more appear as `00` in types A and B. Type C shows them.
- After the clock was set four times in a day the date is printed as `**/**/**`: the day of arrival
  is taken, and the ticket is marked. Find out what keeps setting the clock.
- Digits masked by the PBX (dots, or X for calls in privacy) are lost for billing as soon as they
  reach into the prefix. Switch off *Secret Dial* and *Privacy Mode* for what is billed.

## What the tickets hold

The time of the end, to the minute; conversation time; extension or verification code; trunk; digits
dialled, or caller and direct number of an incoming call, with a name where the exchange gives one;
account code; and whether the call was transferred, forwarded, or not answered. Types A and C tell
how long an incoming call rang. The duration stops at 11:59'59: such a call is marked as estimated.
On trunks without answer supervision the duration counts from the dialling on; see
`answer_threshold_seconds` in docs/configuration.md.

Types B and C have a cost if the PBX was given rates or the exchange sends pulses. Without them they
hold no price.

## Test

Call out from an extension, talk for a few seconds, hang up. Then

    tollhouse pbx check rouen_clinic

must show that call, raw and parsed. If it stops at *collector*: start it with `make up` or
`tollhouse collector run`. If it stops at *port*: SMDR Port is not LAN, address, firewall. If the
login is refused: the password in *SMDR Options*. If it stops at *tickets*: the options of printing
above, or another program is logged in.
"""

from tollhouse.pbx import Framing, Model, StreamDefaults

MODEL = Model(
    model_id="panasonic_kx",
    title="Panasonic KX-TDA, KX-TDE, KX-NCP, KX-NS",
    transports=("spooled_stream",),
    framing=Framing(kind="lines", maximum_bytes=4_096),
    # Lines end with CR or CR LF, by a setting of the PBX; what follows the CR belongs to framing.
    stream=StreamDefaults(direction="dial", port=2300, dialogue="login", line_end=b"\r"),
)
