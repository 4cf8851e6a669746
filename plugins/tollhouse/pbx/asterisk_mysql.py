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

A row does not say it. List your trunks in the entry, as they stand in the `channel` columns:
`trunks: ["PJSIP/carrier", "DAHDI/"]`. Or let the dialplan mark the calls with
`Set(CDR(amaflags)=…)`, 2 (*billing*) on outgoing and 3 (*documentation*) on incoming ones. Left
alone, Asterisk writes 3 on every row, so the marks are believed only where the entry's `settings`
hold `amaflags_direction: true`.

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
  (or FreePBX's *use GMT*) it is `UTC`. The head of `uniqueid` is the true time and settles the
  repeated hour in autumn.
- **Ids are given at insert and seen at commit**: with two writers a row can appear below the last
  one read. Each pull therefore reads a stretch of ids again; nothing doubles.
- FreePBX may fill `transient_cdr` with a copy of recent rows: never read both.
- A primary key on `start`, met on some systems, loses the second of two calls of the same second.
- Emptying the table or restarting its auto-increment is noticed: it is read from its beginning, as
  a new generation.

## What the rows hold

Start, duration, conversation (`billsec`), disposition, channels of both sides, number dialled,
account code, `linkedid` that ties the legs of a call. FreePBX has no answer and no end column: they
follow from start and durations. A ring group or a queue writes a row per phone that rang. Parking
and transfers write two or three. Rows between two `Local/` channels repeat a leg and are ignored.

They hold no price. `dst` may be a queue, a feature code or `s` in place of the number.

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
