"""TelNowEdge: FreePBX with modules of its own; its call records are read from MySQL or MariaDB.

Tollhouse is a client of that database with the right to read one table, `cdr`, which has a row per
leg of a call; names can be joined from a second one.

No description of this database is public. What this guide rests on:

- **Confirmed**: the PBX is built on Asterisk; its vendor opens an access to the useful tables for a
  billing program; its published modules extend FreePBX and work in the database `asteriskcdrdb`.
- **Inferred**: that `cdr` has FreePBX's columns: `calldate`, `clid`, `src`, `dst`, `channel`,
  `dstchannel`, `lastapp`, `lastdata`, `duration`, `billsec`, `disposition`, `accountcode`,
  `uniqueid`, `linkedid`, `did`, `cnum`, `cnam`, `dst_cnam` … How its table of users is built is not
  known: by default it is not read.

Columns are read by name. What is not there stays empty, and what else is there is kept in raw. A
row in which `calldate`, `duration`, `billsec` or `disposition` is missing is rejected under the
column's name: the query of the entry, below, can supply it.

## Access

The vendor's support opens it. Ask them for

- a MySQL account, for the address of this machine alone, that may read the table `cdr`;
- the growing id, if `cdr` has none (`DESCRIBE cdr` tells);
- the address, the port, and the name of the database.

What they have to run, with `asteriskcdrdb` for the database:

    CREATE USER 'tollhouse'@'192.0.2.5' IDENTIFIED BY 'a long password';
    GRANT SELECT ON asteriskcdrdb.cdr TO 'tollhouse'@'192.0.2.5';
    ALTER TABLE asteriskcdrdb.cdr ADD COLUMN id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY;

Tollhouse remembers the last row by that number. If the table has a primary key already, `UNIQUE` in
its place; if another whole-number column grows with each row, name it in `settings.key`. Adding it
locks a large table while it is rewritten: at night. Afterwards `asterisk -rx 'module reload
cdr_adaptive_odbc.so'`, which learns the columns.

## Network and connection

Open TCP 3306 from this machine to the database. By default the server listens on 127.0.0.1 alone:
`bind-address` in its configuration. Three places can refuse: the account, `bind-address`, the
firewall.

    AIRFLOW_CONN_PBX_ALBI_WORKS='{"conn_type": "mysql", "host": "192.0.2.20", "port": 3306,
      "login": "tollhouse", "password": "…", "schema": "asteriskcdrdb",
      "extra": {"tls": "required"}}'

`extra.tls` is `preferred` (the default), `off`, `required`, or `verify` with `tls_ca` naming the
file of the authority.

## The entry

A row does not say whether a call went out or came in. List the trunks as they stand in the columns
`channel` and `dstchannel`:

    trunks: ["PJSIP/carrier", "DAHDI/"]

Where the dialplan marks calls in `amaflags`, 2 outgoing and 3 incoming, `settings` may say
`amaflags_direction: true`; Asterisk by itself writes 3 on every row, so look first.

### With names from a table of users

The rows are read as they stand. `cnam` and `dst_cnam` hold names already; where they are empty, or
extensions bear others than their numbers, an entry can join a table. FreePBX keeps its extensions
in the table `users` of the database `asterisk`:

    settings:
      query: |
        select
            c.*,
            u.extension as user_number,
            u.name as user_lastname
        from {table} as c
        left join asterisk.users as u
            on u.extension = if(coalesce(c.did, '') = '', c.cnum, c.dst)

That takes one right more, which leaves the passwords in that table out:

    GRANT SELECT (extension, name) ON asterisk.users TO 'tollhouse'@'192.0.2.5';

- The names that are read: `user_number` (the extension), `user_firstname`, `user_lastname`,
  `usergroup` (the department) and `subsidiary` (the company); each may be left out.
- Join from the left: an inner join **loses calls**, those whose user is missing. Join by what is
  unique in the other table: of a row that comes twice the first is kept, and the pull warns.
- `{table}` is `cdr`, or what `settings.table` says. The key must come out under its own name.
- A column with another name: add it under the name that is read, `c.called_at as calldate,` after
  `c.*,`. A name that comes out twice is refused: list the columns in place of `c.*` then.
- *Illegal mix of collations* means that two databases compare text differently: write
  `convert(u.extension using utf8mb4) collate utf8mb4_general_ci = …`.
- **The query of the program that Tollhouse replaces**, or of the vendor, can be used. Its `@IDLAST`
  may stay; `LIMIT` and `ORDER BY` must go: Tollhouse pages and orders by itself.
- **Settle the query before the first pull**: `tollhouse pbx check` shows rows and lands none. What
  is in raw stays as it was read. A column that is added later serves the rows to come, and so do
  other values: the pull warns once, and keeps the other form of the rows that it read again in
  `raw.conflicts`. Only a warehouse without these rows takes all of them in the new form.

The query is checked when the DAG starts and by `tollhouse pbx check`; the error says what is wrong.

## Pitfalls

- **Time zone.** `calldate` is the PBX's wall clock without a zone: `time_zone` of the entry must be
  the one of the machine that runs Asterisk. With FreePBX's *use GMT* it is `UTC`. The head of
  `uniqueid` is the true time and settles the repeated hour in autumn.
- FreePBX may fill `transient_cdr` with a copy of recent rows: never read both.
- **An update of the product may rebuild `cdr`** and take the id away: the check says so.
- **Ids are given at insert and seen at commit**: each pull reads a stretch of ids again; nothing
  doubles. An emptied table, or ids that are given out again after the last rows were deleted (old
  servers do, when they start), are noticed: from the first one on it is read as a new generation.
- Joined names are those of the day on which the row was read: a user who is renamed keeps the old
  name on the calls of the past, as a bill needs it.

## What the rows hold

What Asterisk writes: start, duration, conversation (`billsec`), disposition, the channels of both
sides, the number dialled, account code, `linkedid` that ties the legs of a call; and FreePBX's:
the direct number called (`did`), the names of both sides, the number shown outside. There is no
answer and no end column: they follow from start and durations. A ring group or a queue writes a row
per phone that rang. Parking and transfers write two or three. A row between two `Local/` channels
repeats a leg and is ignored. The group is the department of a joined user, never a queue: that
stays in raw, in `dst` and `lastdata`.

They hold no price. `dst` may be a queue, a feature code or `s` in place of the number.

## Test

From this machine, with any MySQL client and the new account: `SELECT * FROM cdr ORDER BY id DESC
LIMIT 1`. Then call out, talk for a few seconds, hang up, and

    tollhouse pbx check albi_works

must show that row, raw and parsed. It tells a wrong password, an unknown database, a missing right,
a missing table and a missing id column apart, and says what helps. An answer `unknown` for the
direction means that the list of trunks is missing.
"""

from tollhouse.pbx import Framing, Model, TableDefaults

MODEL = Model(
    model_id="telnowedge",
    title="TelNowEdge (FreePBX)",
    transports=("sql_table",),
    framing=Framing(kind="json_rows"),
    encoding="utf-8",
    table=TableDefaults(
        table="cdr",
        key="id",
        port=3306,
        # Filled where an entry joins a table of users.
        joined_columns=(
            "user_firstname",
            "user_lastname",
            "user_number",
            "usergroup",
            "subsidiary",
        ),
    ),
)
