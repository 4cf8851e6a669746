"""What is seen of a query before a server is asked."""

from __future__ import annotations

import pytest

from tollhouse.transports.sql_table.query_text import fault_of, tables_of, uses_idlast

#: As another product asks Fonisk, but for order and limit.
COMMA_JOIN = """
select c.*, u.firstname, u.lastname, u.number, g.name as usergroup, s.name as subsidiary
from cdr c, user u, `user_group` as g, crm.subsidiary s
where c.id_user is not null and id_cdr > @IDLAST and c.id_user = u.id_user
"""


@pytest.mark.parametrize(
    "query",
    [
        "select * from cdr",
        "-- order of columns; no limit\nSELECT `order`, `limit` FROM {table} where dst <> 'limit;'",
        "select c.*, (select max(id) from cdr order by 1 limit 1) as newest from cdr as c",
        "select 'it''s; \\' order by' as a, \"limit\" as b from cdr /* into */ # lock",
        COMMA_JOIN,
    ],
)
def test_a_plain_select_has_no_fault(query: str) -> None:
    assert fault_of(query) is None


@pytest.mark.parametrize(
    ("query", "fault"),
    [
        ("", "begin with SELECT"),
        ("update cdr set src = ''", "begin with SELECT"),
        ("select * from cdr order by id", "no ORDER BY"),
        ("select * from (select * from cdr limit 5) as c Limit 1000", "no LIMIT"),
        ("select * from cdr; drop table cdr", "without a semicolon"),
        ("select * from cdr into outfile 'cdr.txt'", "without INTO"),
        ("select * from cdr for update", "without FOR UPDATE"),
        ("select * from cdr lock in share mode", "without LOCK"),
    ],
)
def test_what_keeps_a_query_from_being_paged_is_named(query: str, fault: str) -> None:
    assert fault in (fault_of(query) or "")


def test_the_variable_of_idlast_is_found_outside_texts_only() -> None:
    assert uses_idlast("select * from cdr where id > @idlast")
    assert not uses_idlast("select * from cdr where src <> '@IDLAST' -- @IDLAST")


@pytest.mark.parametrize(
    ("query", "tables"),
    [
        ("select * from cdr", ["cdr"]),
        (COMMA_JOIN, ["cdr", "user", "`user_group`", "crm.subsidiary"]),
        (
            "select c.id, u.name from {table} as c left join `user` as u on u.id = c.id_user "
            "join `crm`.`group` g using (id_group), extra where c.src in (select src from known)",
            ["table", "`user`", "`crm`.`group`", "extra", "known"],
        ),
    ],
)
def test_the_tables_of_a_query_are_known(query: str, tables: list[str]) -> None:
    assert tables_of(query) == tables
