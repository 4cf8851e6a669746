"""Renew the numbering plans in dbt_project/seeds that come from packages.

Two seeds are derived: ref_e164_prefixes and ref_country_calling_codes, from the metadata of
libphonenumber (package ``phonenumbers``) and the country names of CLDR (package ``babel``). The
others are kept by hand, their facts read in the decisions and summaries that the source column
names; ``refresh_french_assignments.py`` renews their holders. The packages are needed here only, so
they are no part of the lock:

    uv run --no-project --with phonenumbers==9.0.43 --with babel scripts/regenerate_seeds.py
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import phonenumbers
from babel import Locale
from phonenumbers import PhoneMetadata, PhoneNumberDesc

SEEDS = Path(__file__).resolve().parents[1] / "dbt_project" / "seeds"
#: Digits of the national number that may follow the calling code in a prefix: India's plan needs
#: that many.
LONGEST_NATIONAL_PREFIX = 7
DIGITS = "0123456789"

#: In libphonenumber's order: the first kind whose pattern matches names the number.
KINDS = (
    ("PREMIUM", "premium_rate"),
    ("TOLL_FREE", "toll_free"),
    ("SHARED_COST", "shared_cost"),
    ("VOIP", "voip"),
    ("PERSONAL", "personal_number"),
    ("PAGER", "pager"),
    ("UAN", "uan"),
    ("VOICEMAIL", "voicemail"),
    ("FIXED", "fixed_line"),
    ("MOBILE", "mobile"),
)

NETWORKS = {
    800: "International freephone (UIFN)",
    808: "International shared cost",
    870: "Inmarsat",
    878: "Universal personal telecom",
    881: "Global mobile satellite (GMSS)",
    882: "International networks",
    883: "International networks (iNum etc.)",
    888: "Telecom for disaster relief",
    979: "International premium rate",
}

Label = tuple[str, str]
States = frozenset[int]


@dataclass
class Automaton:
    """A pattern over digits that, unlike one of ``re``, can be followed digit by digit."""

    steps: list[dict[str, set[int]]] = field(default_factory=list)
    free_steps: list[set[int]] = field(default_factory=list)
    start: int = 0
    end: int = 0

    @classmethod
    def of(cls, pattern: str) -> Automaton:
        """Build the automaton of one pattern of libphonenumber."""
        automaton = cls()
        automaton.start = automaton._state()
        # The parser of ``re`` itself: the patterns are then read exactly as libphonenumber reads
        # them.
        tree = re._parser.parse(pattern)
        automaton.end = automaton._sequence(tree, automaton.start)
        return automaton

    def begin(self) -> States:
        """Return the states before the first digit."""
        return self._reach({self.start})

    def after(self, states: States, digit: str) -> States:
        """Return the states after one more digit."""
        return self._reach({state for old in states for state in self.steps[old].get(digit, ())})

    def _state(self) -> int:
        self.steps.append({})
        self.free_steps.append(set())
        return len(self.steps) - 1

    def _reach(self, states: set[int]) -> States:
        waiting, reached = list(states), set(states)
        while waiting:
            for state in self.free_steps[waiting.pop()] - reached:
                reached.add(state)
                waiting.append(state)
        return frozenset(reached)

    def _sequence(self, items: list[tuple[Any, Any]], state: int) -> int:
        for operation, argument in items:
            state = self._item(str(operation), argument, state)
        return state

    def _item(self, operation: str, argument: Any, state: int) -> int:
        if operation in ("LITERAL", "IN"):
            following = self._state()
            for digit in _digits(operation, argument):
                self.steps[state].setdefault(digit, set()).add(following)
            return following
        if operation == "SUBPATTERN":
            return self._sequence(argument[-1], state)
        if operation == "BRANCH":
            following = self._state()
            for branch in argument[1]:
                self.free_steps[self._sequence(branch, state)].add(following)
            return following
        if operation == "MAX_REPEAT":
            least, most, items = argument
            for _ in range(least):
                state = self._sequence(items, state)
            ends = [state]
            for _ in range(most - least):
                ends.append(self._sequence(items, ends[-1]))
            following = self._state()
            for end in ends:
                self.free_steps[end].add(following)
            return following
        raise ValueError(f"The metadata uses {operation}, which this script does not know: add it.")


def _digits(operation: str, argument: Any) -> Iterator[str]:
    if operation == "LITERAL":
        yield chr(argument)
        return
    for kind, value in argument:
        if str(kind) == "LITERAL":
            yield chr(value)
        elif str(kind) == "RANGE":
            yield from map(chr, range(value[0], value[1] + 1))
        else:
            # \d, the only class that libphonenumber writes.
            yield from DIGITS


@dataclass(frozen=True)
class Pattern:
    """One kind of line of one region, and how far a prefix has got in it."""

    label: Label
    rank: int
    automaton: Automaton
    states: States

    def after(self, digit: str) -> Pattern:
        """Return the pattern one digit further."""
        states = self.automaton.after(self.states, digit)
        return Pattern(self.label, self.rank, self.automaton, states)


def patterns_of(calling_code: int) -> list[Pattern]:
    """Return the patterns of a calling code, in the order in which libphonenumber tries them."""
    patterns = []
    for region in phonenumbers.COUNTRY_CODE_TO_REGION_CODE[calling_code]:
        metadata = (
            PhoneMetadata.metadata_for_nongeo_region(calling_code)
            if region == "001"
            else PhoneMetadata.metadata_for_region(region)
        )
        descriptions = {kind: getattr(metadata, name) for kind, name in KINDS}
        fixed, mobile = _pattern_text(descriptions["FIXED"]), _pattern_text(descriptions["MOBILE"])
        for kind, description in descriptions.items():
            text = _pattern_text(description)
            if not text or (kind == "MOBILE" and text == fixed):
                continue
            if kind == "FIXED" and text == mobile:
                kind = "FIXED_OR_MOBILE"
            automaton = Automaton.of(text)
            patterns.append(Pattern((region, kind), len(patterns), automaton, automaton.begin()))
    return patterns


def _pattern_text(description: PhoneNumberDesc | None) -> str:
    return (description and description.national_number_pattern) or ""


@dataclass
class Node:
    """What the numbers behind one prefix are.

    Attributes:
        weights: how much of them is of which label.
        label: the label of most of them.
        children: what one more digit tells, where it tells something.
    """

    weights: Counter[Label]
    children: dict[str, Node] = field(default_factory=dict)
    label: Label = field(init=False)

    def __post_init__(self) -> None:
        self.label = max(sorted(self.weights), key=lambda label: self.weights[label])


Known = dict[tuple[int, tuple[tuple[int, States], ...]], Node | None]


def explore(patterns: list[Pattern], depth: int, known: Known) -> Node | None:
    """Return what numbers there are behind a prefix; none when no pattern goes on from it.

    Many prefixes leave the patterns in the same states: ``known`` keeps what was found for them.
    """
    alive = [pattern for pattern in patterns if pattern.states]
    key = (depth, tuple((pattern.rank, pattern.states) for pattern in alive))
    if key not in known:
        known[key] = _explore(alive, depth, known) if alive else None
    return known[key]


def _explore(alive: list[Pattern], depth: int, known: Known) -> Node:
    last_word = Node(Counter({_first_label(alive): 10 ** (LONGEST_NATIONAL_PREFIX - depth)}))
    if len({pattern.label for pattern in alive}) == 1 or depth == LONGEST_NATIONAL_PREFIX:
        return last_word
    children = {
        digit: node
        for digit in DIGITS
        if (node := explore([pattern.after(digit) for pattern in alive], depth + 1, known))
    }
    weights: Counter[Label] = Counter()
    for node in children.values():
        weights.update(node.weights)
    return Node(weights, children) if children else last_word


def _first_label(alive: list[Pattern]) -> Label:
    first = min(alive, key=lambda pattern: pattern.rank)
    kinds = {pattern.label[1] for pattern in alive if pattern.label[0] == first.label[0]}
    if first.label[1] == "FIXED" and "MOBILE" in kinds:
        return first.label[0], "FIXED_OR_MOBILE"
    return first.label


def prefixes_of(node: Node, prefix: str, inherited: Label | None) -> Iterator[tuple[str, Label]]:
    """Yield the prefixes that say something else than the shorter ones that begin them."""
    if node.label != inherited:
        yield prefix, node.label
    for digit, child in node.children.items():
        yield from prefixes_of(child, prefix + digit, node.label)


def e164_prefixes() -> Iterator[dict[str, str]]:
    """Yield the rows of ref_e164_prefixes."""
    source = f"phonenumbers {version('phonenumbers')}"
    found: dict[str, Label] = {}
    for calling_code in phonenumbers.COUNTRY_CODE_TO_REGION_CODE:
        node = explore(patterns_of(calling_code), 0, {})
        if node is not None:
            found.update(prefixes_of(node, str(calling_code), None))
    for prefix, (region, kind) in sorted(found.items()):
        yield {"e164_prefix": prefix, "region": region, "line_type": kind, "source": source}


def country_calling_codes() -> Iterator[dict[str, str]]:
    """Yield the rows of ref_country_calling_codes."""
    english, french = Locale("en").territories, Locale("fr").territories
    source = (
        f"phonenumbers {version('phonenumbers')} (libphonenumber metadata, Apache-2.0); "
        f"names CLDR via Babel {version('babel')}"
    )
    for calling_code, regions in sorted(phonenumbers.COUNTRY_CODE_TO_REGION_CODE.items()):
        for place, region in enumerate(regions):
            metadata = PhoneMetadata.metadata_for_region(region) or (
                PhoneMetadata.metadata_for_nongeo_region(calling_code)
            )
            yield {
                "calling_code": str(calling_code),
                "iso2": region,
                "name_en": NETWORKS.get(calling_code) or english[region],
                "name_fr": "" if region == "001" else french[region],
                "kind": "non-geographic" if region == "001" else "geographic",
                "is_main_region": "false" if place else "true",
                "international_prefix_regex": metadata.international_prefix or "",
                "national_prefix": metadata.national_prefix or "",
                "leading_digits_regex": metadata.leading_digits or "",
                "source": source,
            }


def write(name: str, rows: list[dict[str, str]]) -> None:
    """Write one seed."""
    with (SEEDS / f"{name}.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def main() -> None:
    """Write both seeds."""
    write("ref_e164_prefixes", list(e164_prefixes()))
    write("ref_country_calling_codes", list(country_calling_codes()))


if __name__ == "__main__":
    main()
