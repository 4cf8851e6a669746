"""The staging views of the models that are read by layouts, as dbt models.

A declared model is read by its own layout; a built-in one without SQL of its own by several, each
entry of include/pbx.yml by one of them. What no confirmed layout reads is kept and rejected, so
that every row of raw is in the view exactly once.

What is written here holds ids, which are letters, digits and underscores, and compiled texts: no
word of a layout's file becomes SQL, Jinja or YAML.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from textwrap import indent
from typing import Any

import yaml

INDENT = "    "
HEAD = "-- Made of the files of include/layouts: edit those."

NOT_CONFIRMED, BROKEN, MISSING = "layout_not_confirmed", "layout_broken", "layout_missing"

TICKETS_DESCRIPTION = (
    "One row per ticket of the model {model_id}. {read} A view; never raises; looks at one row at "
    "a time."
)
FIELDS_DESCRIPTION = (
    "The fields of each ticket of the model {model_id} that a layout takes apart, by name: what no "
    "column reads can be seen here. A view; never raises; looks at one row at a time."
)
FIELDS_OF_A_TICKET = "Every field of the ticket by its name in the layout, as text."
MISSING_DESCRIPTION = "Its layout is gone: every row is rejected as layout_missing."
UNREAD_DESCRIPTION = "No layout reads it: every row is rejected as layout_not_confirmed."

PBXS_WHERE = """
    select pbxs.pbx_id
    from {{ source('directory', 'current_pbxs') }} as pbxs
    where """

#: Columns of the contract that tell a row of fields from the others.
KEYS_OF_FIELDS = ("ticket_id", "pbx_id", "delivery_id", "ordinal", "batch_id")

NO_FIELDS = """
select
    tickets.ticket_id,
    null::text as pbx_id,
    tickets.delivery_id,
    tickets.ordinal,
    tickets.batch_id,
    null::jsonb as fields
from {{ source('raw', 'tickets') }} as tickets
where false
"""


@dataclass(frozen=True)
class CompiledLayout:
    """The SQL of a layout, with Jinja for its sources; an unconfirmed one reads no tickets."""

    tickets: str | None
    fields: str


@dataclass(frozen=True)
class LayoutsOfModel:
    """The layouts that read a model.

    Attributes:
        is_built_in: each entry of include/pbx.yml says which layout reads it; any other model is
            its layout.
        tickets: the SQL of the confirmed ones, by id.
        fields: the SQL that takes tickets apart, of the unconfirmed ones too, by id.
        broken: ids of those that do not hold.
        is_missing: there was a layout of this model, and there is none any more.
    """

    model_id: str
    is_built_in: bool = False
    tickets: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, str] = field(default_factory=dict)
    broken: Collection[str] = ()
    is_missing: bool = False


def files_of_model(layouts: LayoutsOfModel, contract: Path) -> dict[str, str]:
    """Return the files of a model's folder in the dbt project, by name.

    Args:
        layouts: the layouts of the model.
        contract: the YAML file of int_tickets__staged, whose columns the view has.
    """
    model_id = layouts.model_id
    return {
        f"stg_{model_id}__tickets.sql": tickets_view(layouts),
        f"stg_{model_id}__fields.sql": fields_view(layouts),
        f"_{model_id}.yml": _properties(layouts, contract),
    }


def tickets_view(layouts: LayoutsOfModel) -> str:
    """Return the view of a model's tickets: each row of raw once."""
    if layouts.tickets and not layouts.is_built_in:
        return _view(layouts.tickets.values())
    is_unread = _is_read_by(layouts, layouts.tickets, negated=True) if layouts.tickets else None
    return _view([*layouts.tickets.values(), _captured(layouts)], last_condition=is_unread)


def fields_view(layouts: LayoutsOfModel) -> str:
    """Return the view of the fields of a model's tickets, as far as a layout takes them apart."""
    return _view(layouts.fields.values() or [NO_FIELDS])


def _view(queries: Collection[str], *, last_condition: str | None = None) -> str:
    """Return the union of queries, each of which chooses its own rows.

    Args:
        queries: of one layout each.
        last_condition: which rows of the last one are meant.
    """
    steps = [
        f"part_{number} as (\n{indent(query.strip(), INDENT)}\n)"
        for number, query in enumerate(queries, start=1)
    ]
    arms = [f"select * from part_{number}" for number in range(1, len(queries) + 1)]  # noqa: S608
    if last_condition is not None:
        arms[-1] += f"\nwhere {last_condition}"
    final = "\n\nunion all\n\n".join(arms)
    steps.append(f"final as (\n{indent(final, INDENT)}\n)")
    return f"{HEAD}\nwith " + ",\n\n".join(steps) + "\n\nselect * from final\n"


def _is_read_by(
    layouts: LayoutsOfModel, layout_ids: Iterable[str], *, negated: bool = False
) -> str:
    """Return whether one of some layouts reads the pbx of a row.

    An entry that names no layout, and a PBX that is no entry any more, are read by the layout that
    bears the model's name.
    """
    chosen = set(layout_ids)
    by_default = layouts.model_id in chosen
    comparison = "<> all" if by_default != negated else "= any"
    return f"pbx_id {comparison}({_pbxs_naming(chosen, negated=by_default)})"


def _pbxs_naming(layout_ids: Iterable[str], *, negated: bool = False) -> str:
    """Return the pbxs whose entries name one of some layouts, or one that is none of them."""
    listed = "', '".join(sorted(layout_ids))
    comparison = "not in" if negated else "in"
    return f"array({PBXS_WHERE}pbxs.settings ->> 'layout' {comparison} ('{listed}')\n)"


def _captured(layouts: LayoutsOfModel) -> str:
    """Return the query of the rows that are kept and rejected, with the reason."""
    if layouts.is_built_in:
        reason = _reason_by_entry(layouts)
    elif layouts.is_missing:
        reason = f"'{MISSING}'"
    else:
        reason = f"'{BROKEN if layouts.broken else NOT_CONFIRMED}'"
    return (
        f"{{% set reason %}}{reason}{{% endset %}}\n"
        f"{{{{ captured_tickets('{layouts.model_id}', source('raw', 'tickets'), "
        "source('raw', 'deliveries'), reason) }}"
    )


def _reason_by_entry(layouts: LayoutsOfModel) -> str:
    """Return why the rows of a built-in model are not read: it depends on what its entry names."""
    known = {*layouts.tickets, *layouts.fields, *layouts.broken, layouts.model_id}
    cases = [f"when deliveries.pbx_id = any({_pbxs_naming(known, negated=True)}) then '{MISSING}'"]
    if layouts.broken:
        cases.append(f"when deliveries.{_is_read_by(layouts, layouts.broken)} then '{BROKEN}'")
    branches = indent("\n".join(cases), INDENT)
    return f"case\n{branches}\n    else '{NOT_CONFIRMED}'\nend"


def _properties(layouts: LayoutsOfModel, contract: Path) -> str:
    model_id = layouts.model_id
    columns = _contract_columns(contract)
    fields = [
        # Copies: YAML would refer from one place to the other.
        *(dict(column) for column in columns if column["name"] in KEYS_OF_FIELDS),
        {"name": "fields", "data_type": "jsonb", "description": FIELDS_OF_A_TICKET},
    ]
    views = [
        (
            f"stg_{model_id}__tickets",
            TICKETS_DESCRIPTION.format(model_id=model_id, read=_how_it_is_read(layouts)),
            columns,
        ),
        (f"stg_{model_id}__fields", FIELDS_DESCRIPTION.format(model_id=model_id), fields),
    ]
    properties = {
        "version": 2,
        "models": [
            {
                "name": name,
                "description": description,
                "config": {"contract": {"enforced": True}},
                "columns": columns,
            }
            for name, description, columns in views
        ],
    }
    return yaml.safe_dump(properties, sort_keys=False, width=1_000)


@cache
def _contract_columns(contract: Path) -> list[dict[str, Any]]:
    """Return name, type and description of each column of the contract, in order."""
    (model,) = yaml.safe_load(contract.read_text(encoding="utf-8"))["models"]
    return [
        {key: column[key] for key in ("name", "data_type", "description")}
        for column in model["columns"]
    ]


def _how_it_is_read(layouts: LayoutsOfModel) -> str:
    if layouts.is_missing:
        return MISSING_DESCRIPTION
    said = [
        f"{words}: {', '.join(sorted(ids))}."
        for words, ids in (
            ("Read by the declared layouts", layouts.tickets),
            ("Not confirmed yet", layouts.fields.keys() - layouts.tickets.keys()),
            ("Broken", layouts.broken),
        )
        if ids
    ]
    return " ".join(said) or UNREAD_DESCRIPTION
