"""The entries of pbx.yml, dated: the file says what holds today, the table what held before.

An entry that is as before changes nothing. A changed one ends today and begins anew, a removed one
ends today. So the past is never rewritten, whatever is edited.
"""

from __future__ import annotations

import psycopg
from psycopg import sql

from tollhouse.directory.staging import PBX_COLUMNS

#: Entries in force that the file no longer holds in this form.
OUTDATED = """
create temporary table outdated_pbxs on commit drop as
select in_force.pbx_id
from directory.pbxs as in_force
left join staged_pbxs using (pbx_id)
where
    in_force.valid_to = 'infinity'
    and ({in_force}) is distinct from ({staged})
"""

#: What began today has no past: it goes. What began earlier ends today.
FORGET = """
delete from directory.pbxs as in_force
using outdated_pbxs
where
    in_force.pbx_id = outdated_pbxs.pbx_id
    and in_force.valid_to = 'infinity'
    and in_force.valid_from >= current_date
"""

END = """
update directory.pbxs as in_force
set valid_to = current_date
from outdated_pbxs
where in_force.pbx_id = outdated_pbxs.pbx_id and in_force.valid_to = 'infinity'
"""

#: The first entry of a pbx holds since ever: tickets older than the installation are read with it.
BEGIN = """
insert into directory.pbxs ({columns}, valid_from)
select
    {columns},
    case
        when exists (
            select from directory.pbxs as earlier where earlier.pbx_id = staged_pbxs.pbx_id
        ) then current_date
        else '-infinity'
    end
from staged_pbxs
where not exists (
    select from directory.pbxs as in_force
    where in_force.pbx_id = staged_pbxs.pbx_id and in_force.valid_to = 'infinity'
)
"""


def date_pbxs(connection: psycopg.Connection) -> int:
    """Bring ``directory.pbxs`` to what is staged; return how many entries ended or began."""

    def columns_of(relation: str) -> sql.Composed:
        return sql.SQL(", ").join(sql.Identifier(relation, name) for name in PBX_COLUMNS)

    connection.execute(
        sql.SQL(OUTDATED).format(in_force=columns_of("in_force"), staged=columns_of("staged_pbxs"))
    )
    changed = connection.execute(FORGET).rowcount
    changed += connection.execute(END).rowcount
    columns = sql.SQL(", ").join(map(sql.Identifier, PBX_COLUMNS))
    return changed + connection.execute(sql.SQL(BEGIN).format(columns=columns)).rowcount
