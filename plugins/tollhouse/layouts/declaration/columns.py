"""The columns of the contract, each with its reading (architecture.md, "The contract")."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, Self

from pydantic import model_validator

from tollhouse.layouts.declaration.conditions import Condition, Declared
from tollhouse.layouts.declaration.faults import KeyFaultError
from tollhouse.layouts.declaration.readings import (
    INSTANTS,
    DurationColumn,
    DurationReading,
    FlagColumn,
    FlagReading,
    NumberColumn,
    Source,
    TextColumn,
    TextReading,
    TimeColumn,
    TimeReading,
)

Direction = Literal["outgoing", "incoming", "internal", "transit", "unknown"]
Outcome = Literal["answered", "answered_by_machine", "no_answer", "busy", "failed", "redirected"]


class Columns(Declared):
    """Where each column of the contract comes from (architecture.md, "The contract").

    Of the three instants those that are given say what the clock of the ticket means; the others
    follow from them and from the durations.
    """

    source_call_id: TextColumn | None = None
    leg_number: NumberColumn | None = None
    started_at: TimeColumn | None = None
    answered_at: TimeColumn | None = None
    ended_at: TimeColumn | None = None
    ring_seconds: DurationColumn | None = None
    talk_seconds: DurationColumn | None = None
    direction: TextColumn | None = None
    outcome: TextColumn | None = None
    caller_number: TextColumn | None = None
    called_number: TextColumn | None = None
    presented_number: TextColumn | None = None
    extension: TextColumn | None = None
    extension_name: TextColumn | None = None
    group_name: TextColumn | None = None
    subsidiary_name: TextColumn | None = None
    trunk_in: TextColumn | None = None
    trunk_out: TextColumn | None = None
    account_code: TextColumn | None = None
    authorization_code: TextColumn | None = None
    is_private: FlagColumn | None = None
    is_estimated: FlagColumn | None = None
    transferred_from: TextColumn | None = None
    transferred_to: TextColumn | None = None
    pulses: NumberColumn | None = None
    pbx_charge_amount: NumberColumn | None = None
    pbx_charge_currency: TextColumn | None = None

    @model_validator(mode="after")
    def _constants_of_the_contract(self) -> Self:
        for name, allowed in (("direction", Direction), ("outcome", Outcome)):
            reading: TextReading | None = getattr(self, name)
            if reading is None:
                continue
            words = allowed.__args__  # type: ignore[attr-defined]
            unknown = sorted(set(reading.results()) - set(words))
            if unknown:
                raise KeyFaultError(
                    (name,), f"{name} is one of {', '.join(words)}, never {unknown[0]!r}"
                )
            if reading.reads_field and not reading.lookup:
                raise KeyFaultError(
                    (name,), f"{name} needs `lookup`: what each text of its field stands for"
                )
        currency = self.pbx_charge_currency
        if (self.pbx_charge_amount is None) != (currency is None):
            raise KeyFaultError(
                ("pbx_charge_amount" if currency is None else "pbx_charge_currency",),
                "pbx_charge_amount and pbx_charge_currency come together: an amount has a currency",
            )
        wrong = [code for code in currency.results() if not _is_currency(code)] if currency else []
        if wrong:
            raise KeyFaultError(
                ("pbx_charge_currency",),
                f"pbx_charge_currency is a code such as EUR, never {wrong[0]!r}",
            )
        return self

    @model_validator(mode="after")
    def _durations_between_exact_instants(self) -> Self:
        for name in ("ring_seconds", "talk_seconds"):
            reading: DurationReading | None = getattr(self, name)
            for end in reading.between or () if reading else ():
                instant: TimeReading | None = getattr(self, end)
                if instant is None:
                    raise KeyFaultError(
                        (name, "between"), f"{name} lies between instants, but {end} is not mapped"
                    )
                if not instant.is_exact:
                    raise KeyFaultError(
                        (name, "between"),
                        f"{name} cannot be taken from {end}, which is read from a clock on a wall: "
                        "its zone must be utc, or its text must have an offset",
                    )
        return self

    @model_validator(mode="after")
    def _columns_in_conditions(self) -> Self:
        for name, reading in self.given().items():
            looked_at = set(_columns_looked_at(reading))
            if "direction" in looked_at and name == "direction":
                raise KeyFaultError((name,), "direction cannot depend on itself")
            if "outcome" in looked_at and name in ("direction", "outcome"):
                raise KeyFaultError(
                    (name,), f"{name} cannot depend on outcome, which is known after it"
                )
        return self

    def given(self) -> dict[str, Source]:
        """Return the columns that are mapped, in the order of the contract."""
        readings = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: reading for name, reading in readings.items() if reading is not None}

    def missing(self) -> list[str]:
        """Return what no ticket can do without and is not mapped, in words."""
        absent = [] if any(getattr(self, name) for name in INSTANTS) else [" or ".join(INSTANTS)]
        absent += [
            name
            for name in ("talk_seconds", "direction", "called_number")
            if getattr(self, name) is None
        ]
        if self.caller_number is None and self.extension is None:
            absent.append("caller_number or extension")
        return absent


def _columns_looked_at(reading: Source) -> Iterator[str]:
    if isinstance(reading, TextReading):
        for case in reading.cases:
            yield from case.when.column_names()
    if isinstance(reading, FlagReading) and reading.when is not None:
        yield from reading.when.column_names()


def _is_currency(code: str) -> bool:
    return len(code) == 3 and code.isascii() and code.isalpha() and code.isupper()


def conditions_of(reading: Source) -> Iterator[Condition]:
    """Yield the conditions of a reading."""
    if isinstance(reading, TextReading):
        yield from (case.when for case in reading.cases)
    if isinstance(reading, FlagReading) and reading.when is not None:
        yield reading.when
