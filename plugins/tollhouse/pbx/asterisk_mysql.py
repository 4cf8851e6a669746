"""Asterisk with its call records in MySQL or MariaDB: the table is read over the network.

Asterisk writes one row per leg into the table `cdr`; FreePBX does the same in `asteriskcdrdb`.
Tollhouse is a client of that database with the right to read this one table.

## In Asterisk

- Call records must go to the database: `cdr show status` at the Asterisk prompt lists *Adaptive
  ODBC* (or, on old systems, *mysql*). FreePBX is set up so.
- In `cdr.conf`: `unanswered=yes` if calls that never reached a phone shall be counted,
  `congestion=yes` for those the network refused. `batch=yes` delays rows, and loses those in memory
  when Asterisk crashes.
- Two sections of `cdr_adaptive_odbc.conf` that point at the same table give every row twice: keep
  one.
- In `lastdata` and `userfield` the columns should be wide enough: a number that was dialled is
  sometimes found only there.

### The id column

Tollhouse remembers the last row by a number that grows. The stock table has none. As the
administrator of the database:

    ALTER TABLE cdr ADD COLUMN id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY;

If the table has a primary key already, `UNIQUE` in its place. Then reload the module, which learns
the columns when it is loaded:

    asterisk -rx 'module reload cdr_adaptive_odbc.so'

Make a call and look: the new row has the next id. Nothing else may write to that column. On a large
table run it at night: the table is locked while it is rewritten.

### Outgoing or incoming

A row does not say it. What decides, the first that can:

1. `amaflags`, 2 (*billing*) outgoing and 3 (*documentation*) incoming, where the dialplan sets them
   (`Set(CDR(amaflags)=…)`) and the entry's `settings` hold `amaflags_direction: true`. Left alone,
   Asterisk writes 3 on every row, outgoing ones too: without that setting they are not looked at.
2. The `trunks` of the entry: a trunk on the calling side is incoming, on the called side outgoing,
   on both transit.
3. FreePBX's `did`, or a context `from-pstn…`, `from-trunk…` or `from-sip-external`: incoming.
4. Else the call is internal; without a trunk list it is *unknown*, and an invoice waits for it.

So list the trunks, as they stand in the channel columns before the last dash:
`trunks: ["PJSIP/carrier", "DAHDI/"]`. An entry is a technology and peer, a technology with its
slash, or a peer alone. A trunk that is left out makes its calls internal, and free: before an
invoice the page *Data checks* counts, for each PBX, internal calls to numbers of the outside. What
there is:

    SELECT DISTINCT left(dstchannel, length(dstchannel) - locate('-', reverse(dstchannel)))
    FROM cdr WHERE length(dst) > 6;

On FreePBX and NethVoice the peer is the *Trunk Name* (*Connectivity / Trunks*), which
`asterisk -rx 'pjsip show endpoints'` shows too. A trunk that was renamed needs both names. Cards
and gateways (`DAHDI/`, `Khomp/`) need no list where they are the only trunks.

## Rights

An account that may read that table and come from this machine, and nothing more:

    CREATE USER 'tollhouse'@'192.0.2.5' IDENTIFIED BY 'a long password';
    GRANT SELECT ON asteriskcdrdb.cdr TO 'tollhouse'@'192.0.2.5';

## Network and connection

Open TCP 3306 from this machine to the database. By default the server listens on 127.0.0.1 alone:
set `bind-address` in its configuration. Three places can refuse: the account, `bind-address`, the
firewall.

    AIRFLOW_CONN_PBX_LYON_SUPPORT='{"conn_type": "mysql", "host": "192.0.2.20", "port": 3306,
      "login": "tollhouse", "password": "…", "schema": "asteriskcdrdb",
      "extra": {"tls": "required"}}'

`extra.tls` is `preferred` (the default), `off`, `required`, or `verify` with `tls_ca` naming the
file of the authority. `settings` of the entry may hold `table`, `key` (another growing column),
`page_rows` and `overlap_ids`.

## Pitfalls

- **Time zone.** The columns hold the PBX's wall clock without a zone: `time_zone` of the entry must
  be that of the machine that runs Asterisk, which is often UTC in containers. With `usegmtime=yes`
  (or FreePBX's *use GMT*) it is `UTC`. The head of `uniqueid` is the true time: it settles the
  repeated hour in autumn. Where most calls of a day are whole quarters of an hour off it, the clock
  is that of another zone: all rows of that day are put right, and the page *Data checks* names the
  PBX and the zone to set. `pbx check` shows a row as the entry's zone has it.
- **Ids are given at insert and seen at commit**: with two writers a row can appear below the last
  one read. Each pull therefore reads a stretch of ids again; nothing doubles.
- FreePBX may fill `transient_cdr` with a copy of recent rows: never read both.
- A primary key on `start`, met on some systems, loses the second of two calls of the same second.
- An emptied table, or ids that are given out again after the last rows were deleted (MySQL before
  8.0 and MariaDB before 10.2.4 do, when they start), are noticed: from the first such id on the
  table is read as a new generation. Rows that were deleted stay tickets.

## What the rows hold

Start, duration, conversation (`billsec`), disposition, channels of both sides, number dialled,
account code, `linkedid` that ties the rows of a call. FreePBX has no answer and no end column: they
follow from start and durations. They hold no price. `dst` may be a queue, a feature code or `s` in
place of the number.

A call is all rows of a `linkedid`; each row is a leg of it.

- Ring group or queue, a row per phone that rang: one call. Phones that did not answer while another
  did are phantom legs: no call, no cost.
- `NO ANSWER` or `BUSY` with `billsec` above 0, and a queue that no phone answered: not answered,
  talk 0. The dial plan had answered before.
- Voicemail, announcement, menu, without `dstchannel`: answered by a machine.
- Both channels `Local/`: ignored. One of them: a leg; without a trunk, beside a row that holds the
  talk, a phantom.
- Forward or follow-me to the outside (`Local/…;2` and a trunk): a leg that the forwarding extension
  pays. By the caller's own channel (trunk to trunk): transit, paid by the extension that had the
  call.
- Transfers and parking: a leg per row. A trunk that had been dialled stays the call out, to its
  number, whether the next one answers or not; `transfer_payer` of the entry says who pays.
- Two outside parties left talking: a trunk that was dialled costs until it is hung up, both do
  where both were dialled.
- First trunk refused, second one answered: two legs, one of them answered. All refused, then an
  announcement: not answered, the announcement is a phantom.
- Conference, a row per pair: what two rows tell of the same trunk channel counts once; a caller who
  is met there costs nothing. The same for paging, parking and pick-up.
- `Message/ast_msg_queue`: a text, ignored.
- The same row under two ids: the second is a duplicate, by `uniqueid` and `sequence`.

An attended transfer by SIP may leave the consultation its own `linkedid`: it is then a call of its
own, and tells which number the trunk goes on to. Hold is not to be seen.

## Test

Call out, talk for a few seconds, hang up. Then

    tollhouse pbx check lyon_support

must show that row, raw and parsed. It tells a wrong password, an unknown database, a missing right,
a missing table and a missing id column apart, and prints the statement that helps.
"""

from tollhouse.pbx import Framing, Model, TableDefaults

MODEL = Model(
    model_id="asterisk_mysql",
    title="Asterisk (cdr in MySQL or MariaDB)",
    transports=("sql_table",),
    framing=Framing(kind="json_rows"),
    encoding="utf-8",
    table=TableDefaults(table="cdr", key="id", port=3306),
)
