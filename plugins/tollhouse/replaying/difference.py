"""What a replay on trial found: counts of states, changed columns, examples, calls and prices."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import psycopg
from psycopg.rows import dict_row

from tollhouse.replaying.prices import Prices, price_replay
from tollhouse.replaying.trial import Trial
from tollhouse.settings import Settings
from tollhouse.warehouse import DBT, connect

#: Tickets of the batches by state, as they are and as they are read now.
STATES = """
with tickets as (
    select
        staged.state as state_before,
        coalesce(differences.after ->> 'state', staged.state) as state_after
    from intermediate.int_tickets__staged as staged
    left join raw.replay_differences as differences
        on staged.ticket_id = differences.ticket_id
        and differences.replay_id = %(replay_id)s
        and not differences.is_invoiced
    where staged.batch_id = any(%(batch_ids)s)
)
select
    states.state,
    count(*) filter (where tickets.state_before = states.state) as before_count,
    count(*) filter (where tickets.state_after = states.state) as after_count
from unnest(array['ticket', 'rejected', 'ignored', 'duplicate'])
    with ordinality as states (state, place)
cross join tickets
group by states.state, states.place
order by states.place
"""

#: A value of the contract before and after: the differences hold only what differs.
MOVES = """
with moved as (
    select
        staged.state as state_before,
        staged.state_reason as reason_before,
        staged.state_field as field_before,
        after.state as state_after,
        after.state_reason as reason_after,
        after.state_field as field_after
    from raw.replay_differences as differences
    inner join intermediate.int_tickets__staged as staged
        on differences.ticket_id = staged.ticket_id
    cross join lateral jsonb_populate_record(staged, differences.after) as after
    where differences.replay_id = %(replay_id)s
        and not differences.is_invoiced
        and differences.after ?| array['state', 'state_reason', 'state_field']
)
select *, count(*) as ticket_count
from moved
group by state_before, reason_before, field_before, state_after, reason_after, field_after
order by ticket_count desc, 1, 2, 3, 4, 5, 6
"""

#: Of tickets that stay what they are: one that can be read at last has all its columns anew.
COLUMNS = """
select columns.name as column_name, count(*) as ticket_count
from raw.replay_differences as differences
cross join lateral jsonb_object_keys(differences.after) as columns (name)
where differences.replay_id = %(replay_id)s
    and not differences.is_invoiced
    and not differences.after ?| array['state', 'state_reason', 'state_field']
group by columns.name
order by ticket_count desc, column_name
"""

#: The first ticket of each kind of change, then the second of each, and so on; shown are those that
#: can be read at last before the others.
EXAMPLES = """
with kinds as (
    select
        differences.*,
        case
            when differences.after ?| array['state', 'state_reason', 'state_field']
                then concat_ws(
                    ' ',
                    differences.before ->> 'state',
                    coalesce(differences.after ->> 'state', ''),
                    differences.after ->> 'state_reason'
                )
            else (select string_agg(name, ' ') from jsonb_object_keys(differences.after) as name)
        end as kind
    from raw.replay_differences as differences
    where differences.replay_id = %(replay_id)s
),
ranked as (
    select
        kinds.*,
        row_number() over (partition by is_invoiced, kind order by ticket_id) as place
    from kinds
),
chosen as (
    select *
    from ranked
    order by place, is_invoiced, kind
    limit %(example_count)s
)
select
    chosen.ticket_id,
    staged.batch_id,
    chosen.is_invoiced,
    chosen.before,
    chosen.after,
    to_jsonb(staged) as columns_before,
    to_jsonb(staged) || chosen.after as columns_after,
    left(tickets.body, 1000) as body
from chosen
inner join intermediate.int_tickets__staged as staged
    on chosen.ticket_id = staged.ticket_id
inner join raw.tickets as tickets
    on staged.model = tickets.model
    and staged.delivery_id = tickets.delivery_id
    and staged.ordinal = tickets.ordinal
order by
    chosen.is_invoiced,
    coalesce(chosen.after ->> 'state' = 'ticket', false) desc,
    chosen.kind,
    chosen.ticket_id
"""

COUNTS = """
select
    count(*) filter (where not is_invoiced) as changed_count,
    count(*) filter (where is_invoiced) as kept_as_invoiced_count
from raw.replay_differences
where replay_id = %(replay_id)s
"""

#: Reasons that are a fault of a layout and not of a ticket.
LAYOUT_FAULTS = frozenset({"layout_broken", "layout_missing"})

Row = dict[str, Any]


@dataclass(frozen=True)
class Difference:
    """What comes out otherwise when batches are read again.

    Attributes:
        changed_count: tickets that change; more than the batches' own where a change settles
            other tickets of the PBX anew.
        kept_as_invoiced_count: tickets on issued invoices that would be read otherwise and stay.
        states: a row per state: before_count, after_count.
        moves: a row per change of state, reason or field: ticket_count.
        columns: a row per changed column of tickets that keep their state: ticket_count.
        examples: tickets, of each kind of change some.
        prices: calls and amounts, before and after.
    """

    changed_count: int
    kept_as_invoiced_count: int
    states: list[Row]
    moves: list[Row]
    columns: list[Row]
    examples: list[Row]
    prices: Prices

    @property
    def changes_something(self) -> bool:
        """Whether keeping it would change a ticket."""
        return self.changed_count > 0

    @property
    def layout_faults(self) -> set[str]:
        """Why tickets would be rejected that no ticket is to blame for."""
        return {row["reason_after"] for row in self.moves} & LAYOUT_FAULTS

    def as_dictionary(self) -> dict[str, Any]:
        """Return it as JSON can hold it, but for numbers and dates."""
        return asdict(self)


def read_difference(settings: Settings, trial: Trial, *, example_count: int) -> Difference:
    """Return what a trial found; one snapshot, which is rolled back."""
    with connect(DBT, settings=settings) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        asked = {
            "replay_id": trial.replay_id,
            "batch_ids": list(trial.choice.batch_ids),
            "example_count": example_count,
        }
        counts = _rows(connection, COUNTS, asked)[0]
        difference = Difference(
            changed_count=counts["changed_count"],
            kept_as_invoiced_count=counts["kept_as_invoiced_count"],
            states=_rows(connection, STATES, asked),
            moves=_rows(connection, MOVES, asked),
            columns=_rows(connection, COLUMNS, asked),
            examples=_rows(connection, EXAMPLES, asked),
            prices=price_replay(connection, trial.replay_id),
        )
        connection.rollback()
    return difference


def _rows(connection: psycopg.Connection, query: str, asked: dict[str, Any]) -> list[Row]:
    return connection.cursor(row_factory=dict_row).execute(query, asked).fetchall()
