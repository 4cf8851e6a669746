"""The first steps of every staging view of a layout: its pbxs, and their tickets."""

from __future__ import annotations

from tollhouse.layouts.compiling.literal import literal
from tollhouse.layouts.compiling.steps import Step, select_of
from tollhouse.layouts.declaration import Layout

JOINED_TICKETS = """\
{{ source('raw', 'tickets') }} as tickets
inner join {{ source('raw', 'deliveries') }} as deliveries
    on tickets.delivery_id = deliveries.delivery_id
left join pbxs on deliveries.pbx_id = pbxs.pbx_id"""


def source_steps(layout: Layout, *, zones: dict[str, str] | None = None) -> list[Step]:
    """Return the steps up to ``tickets``.

    Args:
        layout: whose tickets.
        zones: columns of the zones that the layout names, with their SQL.
    """
    zones = zones or {}
    return [_pbxs(layout, zones), _tickets(layout, zones)]


def _pbxs(layout: Layout, zones: dict[str, str]) -> Step:
    columns = [
        "pbx_id",
        "{{ valid_time_zone('time_zone') }} as time_zone",
        "answer_threshold_seconds",
        *(f"{expression} as {column}" for column, expression in zones.items()),
    ]
    if layout.model is not None:
        columns.append("settings ->> 'layout' as layout_id")
    source = "{{ source('directory', 'current_pbxs') }}"
    return Step("pbxs", select_of(columns, source, is_once=False))


def _tickets(layout: Layout, zones: dict[str, str]) -> Step:
    columns = [
        "tickets.ticket_id",
        "deliveries.pbx_id",
        "tickets.model",
        "tickets.delivery_id",
        "tickets.ordinal",
        "tickets.batch_id",
        "tickets.received_at",
        "tickets.body",
        "deliveries.header",
        "pbxs.time_zone",
        "pbxs.answer_threshold_seconds",
        *(f"pbxs.{column}" for column in zones),
    ]
    conditions = [f"tickets.model = {literal(layout.model_id)}"]
    if layout.model is not None:
        # A pbx of a built-in model names its layout, or has the one that is called like the model.
        own = f"coalesce(pbxs.layout_id, {literal(layout.model_id)})"
        conditions.append(f"{own} = {literal(layout.layout_id)}")
    where = f"where {f'{chr(10)}    and '.join(conditions)}"
    return Step("tickets", select_of(columns, f"{JOINED_TICKETS}\n{where}"))


def query(steps: list[Step | str]) -> str:
    """Return the query of steps, of which the last is called ``final``."""
    return "with " + ",\n\n".join(map(str, steps)) + "\n\nselect * from final\n"
