"""The columns of the contract, in their order and of their types (architecture.md)."""

from __future__ import annotations

from collections.abc import Mapping

from tollhouse.layouts.compiling.literal import literals
from tollhouse.layouts.compiling.steps import Step, select_of

#: Columns that place a ticket; they stand behind its state.
PLACE = ("pbx_id", "model", "delivery_id", "ordinal", "batch_id", "received_at")

#: What is null unless the row is a ticket, with its type.
COLUMNS = {
    "source_call_id": "text", "leg_number": "int", "started_at": "timestamptz",
    "answered_at": "timestamptz", "ended_at": "timestamptz", "ring_seconds": "int",
    "talk_seconds": "int", "direction": "text", "outcome": "text", "caller_number": "text",
    "called_number": "text", "presented_number": "text", "extension": "text",
    "extension_name": "text", "group_name": "text", "subsidiary_name": "text", "trunk_in": "text",
    "trunk_out": "text", "account_code": "text", "authorization_code": "text",
    "is_private": "boolean", "is_estimated": "boolean", "transferred_from": "text",
    "transferred_to": "text", "pulses": "int", "pbx_charge_amount": "numeric(18, 6)",
    "pbx_charge_currency": "text", "time_is_minute": "boolean", "time_year_inferred": "boolean",
    "time_dst_ambiguous": "boolean", "time_dst_shifted": "boolean",
}  # fmt: skip


def final_step(source: str, expressions: Mapping[str, str], ignored: list[str]) -> Step:
    """Return the last step.

    Args:
        source: the step before, with the columns fault and is_ticket.
        expressions: SQL of columns of the contract for tickets; the others are null.
        ignored: reasons of tickets that mean nothing.
    """
    columns = [
        "ticket_id",
        f"""\
case
    when is_ticket then 'ticket'
    when split_part(fault, ':', 1) in ({literals(ignored)}) then 'ignored'
    else 'rejected'
end as state""",
        "split_part(fault, ':', 1) as state_reason",
        # The name of a field may have a colon.
        "nullif(substr(fault, strpos(fault, ':') + 1), '') as state_field",
        *PLACE,
    ]
    for column, type_name in COLUMNS.items():
        expression = expressions.get(column)
        if expression is None:
            columns.append(f"null::{type_name} as {column}")
        else:
            guarded = f"case when is_ticket then {expression} end"
            cast = (
                f"({guarded})::{type_name}"
                if type_name not in ("boolean", "timestamptz")
                else guarded
            )
            columns.append(f"{cast} as {column}")
    return Step("final", select_of(columns, source, is_once=False))
