"""ITNeo: an Asterisk whose calls and users are in a MySQL database.

Tollhouse is a client of that database with the right to read three tables: `cdr` has a row per leg
of a call; `user` and `user_group` hold the names of whom the leg belongs to. Some installations
have a fourth, `subsidiary`.

No description of this database is public. What this guide rests on:

- **Confirmed**: the PBX is built on Asterisk and hands its calls out over MySQL, in tables of these
  names.
- **Inferred**: that their columns are those of Fonisk, which has the same tables: the growing
  `id_cdr`, with `id_user` and `id_user_group`, in `cdr`; `firstname`, `lastname` and `number` of a
  user; `name` of a group; and for the rest of `cdr` the columns of Asterisk (`calldate`, `clid`,
  `src`, `dst`, `channel`, `dstchannel`, `lastapp`, `lastdata`, `duration`, `billsec`,
  `disposition`, `accountcode`, `uniqueid` …).

So compare first: `DESCRIBE cdr; DESCRIBE user; DESCRIBE user_group;` by any MySQL client. Columns
are read by name. What is not there stays empty, and what else is there is kept in raw. A row in
which `calldate`, `duration`, `billsec` or `disposition` is missing is rejected under the column's
name: the query of the entry, below, can supply it.

## Rights

Nothing is to be switched on in the PBX, but whoever maintains it must make an account that may read
those tables, come from this machine, and do nothing more. With `itneo` for the name of the database
(`SHOW DATABASES` tells):

    CREATE USER 'tollhouse'@'192.0.2.5' IDENTIFIED BY 'a long password';
    GRANT SELECT ON itneo.cdr TO 'tollhouse'@'192.0.2.5';
    GRANT SELECT (id_user, firstname, lastname, number) ON itneo.`user` TO 'tollhouse'@'192.0.2.5';
    GRANT SELECT (id_user_group, name) ON itneo.user_group TO 'tollhouse'@'192.0.2.5';

The right on `user` stops at four columns on purpose: such a table may hold passwords. `user` is a
word of SQL on some servers: keep the back-quotes. Where there is a table `subsidiary`, add

    GRANT SELECT (id_subsidiary, name) ON itneo.subsidiary TO 'tollhouse'@'192.0.2.5';

## Network and connection

Open TCP 3306 from this machine to the database. By default a MySQL server listens on 127.0.0.1
alone: `bind-address` in its configuration. Three places can refuse: the account, `bind-address`,
the firewall.

    AIRFLOW_CONN_PBX_VICHY_SPA='{"conn_type": "mysql", "host": "192.0.2.20", "port": 3306,
      "login": "tollhouse", "password": "…", "schema": "itneo", "extra": {"tls": "required"}}'

`extra.tls` is `preferred` (the default), `off`, `required`, or `verify` with `tls_ca` naming the
file of the authority.

## The entry

A row does not say whether a call went out or came in. List the trunks as they stand in the columns
`channel` and `dstchannel`:

    trunks: ["SIP/trunk", "DAHDI/"]

Where the dialplan marks calls in `amaflags`, 2 outgoing and 3 incoming, `settings` may say
`amaflags_direction: true`; Asterisk by itself writes 3 on every row, so look first.

### Where tables or columns are other ones

By default this is asked, page by page in the order of `id_cdr`; it does without `subsidiary`:

    select
        c.*,
        u.firstname as user_firstname,
        u.lastname as user_lastname,
        u.number as user_number,
        g.name as usergroup
    from {table} as c
    left join `user` as u on c.id_user = u.id_user
    left join user_group as g on c.id_user_group = g.id_user_group

An entry can ask otherwise. With a table `subsidiary`:

    settings:
      query: |
        select
            c.*,
            u.firstname as user_firstname,
            u.lastname as user_lastname,
            u.number as user_number,
            g.name as usergroup,
            s.name as subsidiary
        from {table} as c
        left join `user` as u on c.id_user = u.id_user
        left join user_group as g on c.id_user_group = g.id_user_group
        left join subsidiary as s on c.id_subsidiary = s.id_subsidiary

- `{table}` is `cdr`, or what `settings.table` says. If the growing column is not `id_cdr`, name it
  in `settings.key`; it must come out of the query under its own name.
- A column with another name: add it under the name that is read, `c.called_at as calldate,` after
  `c.*,`. A name that comes out twice is refused: list the columns in place of `c.*` then.
- No `disposition` at all: `if(c.billsec > 0, 'ANSWERED', 'NO ANSWER') as disposition,`. Do so only
  where the dialplan never answers before it dials (waiting music, announcements): it would turn
  busy calls into charged ones. Tollhouse never assumes it by itself.
- **The query of the program that Tollhouse replaces** can be used: it shows how the columns are
  called here. Give those of the user the names above, as in `U.number AS user_number`; its
  condition `id_cdr > @IDLAST` may stay. `LIMIT` and `ORDER BY` must go: Tollhouse pages and orders
  by itself. Tables that such a query joins by `WHERE` or `INNER JOIN` **lose calls**: those whose
  user, group or subsidiary is missing. With left joins each row comes once.
- **Settle the query before the first pull**: `tollhouse pbx check` shows rows and lands none. What
  is in raw stays as it was read. A column that is added later serves the rows to come, and so do
  other values: the pull warns once, and keeps the other form of the rows that it read again in
  `raw.conflicts`. Only a warehouse without these rows takes all of them in the new form.

The query is checked when the DAG starts and by `tollhouse pbx check`; the error says what is wrong.

## Pitfalls

- **Time zone.** `calldate` is the PBX's wall clock without a zone: `time_zone` of the entry must be
  the one of the machine that runs Asterisk, which may be UTC. Where there is a `uniqueid`, its head
  is the true time and settles the repeated hour in autumn.
- **Names are those of the day on which the row was read.** A user who is renamed, or moves to
  another group, keeps the old names on the calls of the past, as a bill needs it.
- Without a column `linkedid` the legs of a call are tied by `uniqueid`: a transfer with
  consultation falls into two calls. What it costs does not change.
- **Ids are given at insert and seen at commit**: each pull reads a stretch of ids again; nothing
  doubles. An emptied table, or ids that are given out again after the last rows were deleted (old
  servers do, when they start), are noticed: from the first one on it is read as a new generation.
- Two rows of `user` with one `id_user` do not double a call: the first is kept, and the pull warns.
- A page is quick when `id_cdr` and the ids of the other tables are keys.

## What the rows hold

What Asterisk writes: start, duration, conversation (`billsec`), disposition, the channels of both
sides, the number dialled, account code. A ring group or a queue writes a row per phone that rang; a
row between two `Local/` channels repeats a leg and is ignored.

The user is the one whom the call belongs to: who called, on outgoing and internal calls; who was
called, on incoming ones. `number` is the extension even where the phone bears another name in the
channel; the group's name is the department, the subsidiary's name the company. A row without user
(an announcement answered, trunk to trunk) or whose user was deleted is a ticket like any other:
extension and name are those that Asterisk wrote. A queue is no group here: its number is the number
called where the row has no `did`, and its name stays in raw, in `lastdata`.

They hold no price.

## Test

From this machine, with any MySQL client and the new account: `SELECT * FROM cdr ORDER BY id_cdr
DESC LIMIT 1`. Then call out, talk for a few seconds, hang up, and

    tollhouse pbx check vichy_spa

must show that row with the user's name, raw and parsed. It tells a wrong password, an unknown
database, a missing right, a missing table and a wrong column apart, and says what helps. An answer
`unknown` for the direction means that the list of trunks is missing.
"""

from tollhouse.pbx import Framing, Model, TableDefaults

# Not every installation has the table of subsidiaries: it is joined by an entry that says so. From
# the left, all of them: a call without user or group is a call.
QUERY = """\
select
    c.*,
    u.firstname as user_firstname,
    u.lastname as user_lastname,
    u.number as user_number,
    g.name as usergroup
from {table} as c
left join `user` as u on c.id_user = u.id_user
left join user_group as g on c.id_user_group = g.id_user_group
"""

MODEL = Model(
    model_id="itneo",
    title="ITNeo",
    transports=("sql_table",),
    framing=Framing(kind="json_rows"),
    encoding="utf-8",
    table=TableDefaults(
        table="cdr",
        key="id_cdr",
        port=3306,
        query=QUERY,
        joined_columns=(
            "user_firstname",
            "user_lastname",
            "user_number",
            "usergroup",
            "subsidiary",
        ),
    ),
)
