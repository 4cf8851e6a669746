"""How a call ended, and what that makes of its seconds and instants (rules R3, R9)."""

from __future__ import annotations

from collections.abc import Sequence

from tollhouse.layouts.compiling.literal import literals
from tollhouse.layouts.compiling.phases import Phases
from tollhouse.layouts.compiling.steps import case_of
from tollhouse.layouts.compiling.times import Instant

ANSWERED = ("answered", "answered_by_machine")

IS_OUTSIDE = "direction in ('outgoing', 'transit')"


def add_outcome(phases: Phases, talk: str, reported: str | None) -> None:
    """Have the outcome computed.

    Where the pbx has a threshold because its trunks do not say whether anybody answered, an answer
    is a guess from the seconds.

    Args:
        phases: where.
        talk: SQL of the seconds of conversation.
        reported: SQL of the outcome that the ticket tells, if it does.
    """
    unsupervised = f"{IS_OUTSIDE} and {talk} > 0 and answer_threshold_seconds is not null"
    below = f"{IS_OUTSIDE} and {talk} > 0 and {talk} < answer_threshold_seconds"
    if reported is None:
        branches = [
            f"when {below} then 'no_answer'",
            f"when {talk} > 0 then 'answered'",
            f"when {talk} = 0 then 'no_answer'",
        ]
    else:
        phases.name("reported", "reported_outcome", reported)
        unsupervised += " and reported_outcome = 'answered'"
        branches = [
            f"when reported_outcome = 'answered' and {below} then 'no_answer'",
            "else reported_outcome",
        ]
    phases.name("outcomes", "is_unsupervised", f"coalesce({unsupervised}, false)")
    phases.name("outcomes", "outcome", case_of(branches))


def call_columns(instants: Sequence[Instant], expressions: dict[str, str]) -> dict[str, str]:
    """Return the columns of the step ``calls``, and say in ``expressions`` what comes of them.

    The instants that a ticket does not tell follow from those that it tells and from its seconds,
    never from a difference of clocks.
    """
    ring, talk = (expressions.get(name, "null::int") for name in ("ring_seconds", "talk_seconds"))
    known_ring, known_talk = f"coalesce({ring}, 0)", f"coalesce({talk}, 0)"
    told = {instant.column: _told(instant, instants[0]) for instant in instants}
    started, answered, ended = (
        told.get(name) for name in ("started_at", "answered_at", "ended_at")
    )
    answered_call = f"outcome in ({literals(ANSWERED)})"
    expressions |= {
        "started_at": _first(
            started,
            answered and f"{answered} - {_seconds(known_ring)}",
            ended and f"{ended} - {_seconds(f'({known_ring} + {known_talk})')}",
        ),
        "answered_at": "case when is_answered then {} end".format(
            _first(
                answered,
                started and f"{started} + {_seconds(ring)}" if ring != "null::int" else None,
                ended and f"{ended} - {_seconds(known_talk)}",
            )
        ),
        "ended_at": _first(
            ended,
            answered and f"{answered} + {_seconds(known_talk)}",
            started and f"{started} + {_seconds(f'({known_ring} + {known_talk})')}",
        ),
        # Below the threshold the trunk rang, as far as is known.
        "ring_seconds": f"case when is_unsupervised and not is_answered"
        f" then {known_ring} + {talk} else {ring} end",
        "talk_seconds": f"case when is_answered then {talk} else 0 end",
        "outcome": "outcome",
        "is_private": expressions.get("is_private", "false"),
        "is_estimated": f"is_unsupervised or {expressions['is_estimated']}"
        if "is_estimated" in expressions
        else "is_unsupervised",
        **_clock_flags(instants),
    }
    return {"is_answered": f"coalesce({answered_call}, false)"}


def _told(instant: Instant, primary: Instant) -> str:
    """Return an instant of the ticket; of a repeated hour the one that is not before the first."""
    column = f"{instant.column}_instant"
    if instant is primary or instant.local is None:
        return column
    return (
        f"case when {column} < {primary.column}_instant"
        f" and {instant.column}_gone_back is not null"
        f" then {instant.column}_converted else {column} end"
    )


def _first(*expressions: str | None) -> str:
    found = [expression for expression in expressions if expression]
    if not found:
        return "null::timestamptz"
    return found[0] if len(found) == 1 else f"coalesce({', '.join(found)})"


def _seconds(expression: str) -> str:
    return f"{expression} * interval '1 second'"


def _clock_flags(instants: Sequence[Instant]) -> dict[str, str]:
    """Return how good the clock is: that of the first instant that the ticket has."""
    flags: dict[str, list[str]] = {
        "time_is_minute": [], "time_year_inferred": [], "time_dst_ambiguous": [],
        "time_dst_shifted": [],
    }  # fmt: skip
    for instant in instants:
        flags["time_is_minute"].append(instant.is_minute)
        flags["time_year_inferred"].append("true" if instant.is_year_inferred else "false")
        is_local = instant.local is not None
        flags["time_dst_ambiguous"].append(
            f"{instant.column}_gone_back is not null" if is_local else "false"
        )
        flags["time_dst_shifted"].append(f"{instant.column}_is_missing" if is_local else "false")
    return {name: _of_first_instant(values, instants) for name, values in flags.items()}


def _of_first_instant(values: list[str], instants: Sequence[Instant]) -> str:
    if len(set(values)) < 2:
        return values[0] if values else "false"
    branches = " ".join(
        f"when {instant.column}_instant is not null then {value}"
        for instant, value in zip(instants, values, strict=True)
    )
    return f"case {branches} end"
