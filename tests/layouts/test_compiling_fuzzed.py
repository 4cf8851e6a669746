"""Layouts of random parts are refused with a reason, or compile to queries that run."""

from __future__ import annotations

import random
from typing import Any

import psycopg
import pytest
from pydantic import ValidationError

from tests.layouts.compiled import FIELDS, GOOD, layout_with, line_of, read
from tollhouse.layouts.declaration import Layout

LAYOUTS = 40

TEXTS = (
    "", " ", "x", "O", "é😀", "'", "\\", "{{ 1/0 }}", "--", "a\nb", "\t", "0", "[", "%", "$",
    "answered", "outgoing", "EUR",
)  # fmt: skip
FORMATS = (
    "yyyy-MM-dd HH:mm:ss", "d/M/yy h:m:s a", "dd MMM HH:mm", "iso8601", "epoch_seconds",
    "epoch_milliseconds", "yyyyMMddHHmmss", "yyyy-MM-dd HH:mm:ss.SZ", "dd/MM HH''mm", "nonsense",
)  # fmt: skip
DURATIONS = ("seconds", "milliseconds", "minutes", "hh:mm:ss", "mm:ss", "m'ss", "weeks")
PATTERNS = ("^[0-9]+$", "(.*)", "([a-z]+)[0-9]{1,3}", "(?=x)", "(x|)", r"\d*(-)\S")
INSTANTS = ("started_at", "answered_at", "ended_at")


class Fuzz:
    """Draws parts of layouts, some of which do not hold."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)

    def often(self, chance: float = 0.5) -> bool:
        return self.draw.random() < chance

    def text(self) -> str:
        return self.draw.choice(TEXTS)

    def texts(self) -> list[str]:
        return [self.text() for _ in range(self.draw.choice([1, 1, 2, 15]))]

    def field(self) -> str:
        return self.draw.choice(FIELDS) if self.often(0.97) else "absent"

    def condition(self, depth: int = 0) -> dict[str, Any]:
        if depth < 3 and self.often(0.3):
            parts = [self.condition(depth + 1) for _ in range(self.draw.randint(1, 3))]
            return {self.draw.choice(["all", "any", "none"]): parts}
        test = self.draw.choice([
            {"is": self.texts()}, {"is_not": self.texts()}, {"empty": self.often()},
            {"starts_with": self.texts()}, {"matches": self.draw.choice(PATTERNS)},
            {"above": self.draw.uniform(-9, 9)}, {"below": self.draw.choice([0, 1e300, -1e-9])},
        ])  # fmt: skip
        where = self.draw.choice([{"field": self.field()}] * 5 + [{"column": "direction"}, {}])
        return test | where

    def source(self) -> dict[str, Any]:
        names = [self.field() for _ in range(self.draw.choice([1, 1, 2]))]
        key = self.draw.choice(["from", "first_of"])
        found: dict[str, Any] = {key: names}
        if self.often(0.3):
            found["empty_when"] = self.texts()
        if key == "from" and len(names) > 1 and self.often():
            found["join"] = self.text()
        return found

    def text_column(self, words: tuple[str, ...] = TEXTS) -> dict[str, Any]:
        reading = self.source() if self.often(0.8) else {"value": self.draw.choice(words)}
        if self.often(0.4):
            reading["cases"] = [
                {"when": self.condition(), "value": self.draw.choice(words)}
                if self.often()
                else {"when": self.condition(), "from": self.field()}
                for _ in range(self.draw.randint(1, 3))
            ]
        if self.often(0.2):
            reading["extract"] = self.draw.choice(PATTERNS)
        for key in ("after", "before", "remove"):
            if self.often(0.2):
                reading[key] = self.text()
        if self.often(0.2):
            reading["strip_prefix"] = self.texts()
        if words is not TEXTS or self.often(0.3):
            reading["lookup"] = {text: self.draw.choice(words) for text in self.texts()}
        if words is not TEXTS or self.often(0.3):
            reading["otherwise"] = self.draw.choice(words)
        return reading

    def duration(self) -> dict[str, Any]:
        reading = self.source() | {"format": self.draw.choice(DURATIONS)}
        if self.often(0.2):
            reading["minus"] = self.field()
        if self.often(0.3):
            reading["decimal"] = ","
        return {"between": self.draw.sample(INSTANTS, 2)} if self.often(0.1) else reading

    def number(self) -> dict[str, Any]:
        return self.source() | {
            "decimal": self.draw.choice(".,"),
            "thousands": self.draw.choice(["", " ", ".", ",", "'"]),
            "divide_by": self.draw.choice([1, 10, 100, 1_000_000]),
        }

    def columns(self) -> dict[str, Any]:
        zones = ["pbx", "utc", "Europe/Paris", "America/St_Johns", "Nowhere"]
        columns: dict[str, Any] = {
            name: self.source()
            | {"format": self.draw.choice(FORMATS), "zone": self.draw.choice(zones)}
            for name in INSTANTS
            if self.often(0.6)
        }
        columns["talk_seconds"] = self.duration()
        columns["direction"] = self.text_column(("outgoing", "incoming", "transit", "internal"))
        if self.often():
            columns["outcome"] = self.text_column(("answered", "busy", "no_answer"))
        for name in ("called_number", "caller_number", "account_code", "group_name", "trunk_in"):
            columns[name] = self.text_column()
        if self.often():
            columns |= {"leg_number": self.number(), "pulses": self.number()}
        if self.often():
            columns |= {"pbx_charge_amount": self.number(), "pbx_charge_currency": {"value": "EUR"}}
        if self.often():
            columns["is_private"] = {"when": self.condition()}
        return columns

    def layout(self) -> Layout | None:
        """Return a layout, or None where what was drawn is refused."""
        tickets = {
            "kind": "delimited", "separator": "|", "quote": self.draw.choice(['"', "'", "none"]),
            "fields": FIELDS, "ignore": [self.condition()] if self.often(0.3) else [],
        }  # fmt: skip
        # What keeps its good reading lets the others show what they do to a ticket.
        columns = {name: reading for name, reading in self.columns().items() if self.often()}
        try:
            return layout_with({"ring_seconds": None} | columns, tickets)
        except ValidationError:
            return None


@pytest.mark.postgres
def test_random_layouts_are_refused_or_read_their_tickets(connection: psycopg.Connection) -> None:
    fuzz = Fuzz(20261122)
    bodies = [
        line_of(), "", "|" * 9, "#", line_of(start="2026-10-25 02:30:00", extra="1,5"),
        *(line_of(**dict.fromkeys(FIELDS, text)) for text in ("x", "7", "0:07", "'", "2026")),
        "|".join(reversed(GOOD.values())),
    ]  # fmt: skip
    states: set[str] = set()
    read_count = refused_count = 0
    while read_count < LAYOUTS:
        layout = fuzz.layout()
        if layout is None:
            refused_count += 1
            continue
        read_count += 1
        states |= {ticket.state for ticket in read(connection, layout, bodies)}

    assert states == {"ticket", "rejected", "ignored"}
    assert refused_count
