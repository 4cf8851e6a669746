"""Conditions on a ticket, and the kinds of text that every part of a layout uses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    field_validator,
    model_validator,
)

from tollhouse.layouts import patterns

#: More than any PBX or carrier writes; a layout beyond it is a mistake, and its SQL would not plan.
MOST_FIELDS = 400
MOST_CODES = 2_000
LONGEST_TEXT = 1_000


def of_characters(value: str) -> str:
    """Refuse what no ticket can have: NUL, and half of a surrogate pair."""
    if "\0" in value or any("\ud800" <= sign <= "\udfff" for sign in value):
        raise ValueError("has a character that no ticket can have")
    return value


Text = Annotated[str, StringConstraints(max_length=LONGEST_TEXT), AfterValidator(of_characters)]
FieldName = Annotated[
    str,
    StringConstraints(min_length=1, max_length=120, strip_whitespace=True),
    AfterValidator(of_characters),
]


def as_list(value: Any) -> Any:
    """Return a list of one where one for a list of one."""
    return [value] if isinstance(value, str) else value


FieldNames = Annotated[
    tuple[FieldName, ...], BeforeValidator(as_list), Field(min_length=1, max_length=20)
]
Texts = Annotated[
    tuple[Text, ...], BeforeValidator(as_list), Field(min_length=1, max_length=MOST_CODES)
]


Conditions = Annotated[tuple["Condition", ...], Field(min_length=1, max_length=20)]


class Declared(BaseModel):
    """A mapping of a layout; a key that means nothing is a fault and not passed over."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Condition(Declared):
    """Something that holds for a ticket or does not.

    Exactly one test: of a ``field``, of the ``column`` direction or outcome, or, with neither, of
    the whole line. ``all``, ``any`` and ``none`` hold conditions of their own.

    Attributes:
        is_: the text, or one of several.
        is_not: none of these texts.
        empty: whether nothing but blanks is there.
        starts_with: how it begins, or one of several beginnings.
        matches: a regular expression of the subset of ``tollhouse.layouts.patterns``.
        above: a number that it exceeds; what is no number exceeds none.
        below: a number that it is less than.
    """

    field: FieldName | None = None
    column: Literal["direction", "outcome"] | None = None
    is_: Texts | None = Field(default=None, alias="is")
    is_not: Texts | None = None
    empty: bool | None = None
    starts_with: Texts | None = None
    matches: Text | None = None
    above: Annotated[float, Field(allow_inf_nan=False)] | None = None
    below: Annotated[float, Field(allow_inf_nan=False)] | None = None
    all_: Conditions | None = Field(default=None, alias="all")
    any_: Conditions | None = Field(default=None, alias="any")
    none_: Conditions | None = Field(default=None, alias="none")

    @field_validator("matches")
    @classmethod
    def _pattern_of_the_subset(cls, value: str | None) -> str | None:
        if value is not None:
            patterns.checked(value)
        return value

    @model_validator(mode="after")
    def _one_test(self) -> Self:
        tests = {
            "is": self.is_, "is_not": self.is_not, "empty": self.empty,
            "starts_with": self.starts_with, "matches": self.matches, "above": self.above,
            "below": self.below, "all": self.all_, "any": self.any_, "none": self.none_,
        }  # fmt: skip
        given = [name for name, value in tests.items() if value is not None]
        if len(given) != 1:
            raise ValueError(
                f"a condition has one of {', '.join(tests)}; found {', '.join(given) or 'none'}"
            )
        if self.field is not None and self.column is not None:
            raise ValueError("a condition looks at a field or at a column, not at both")
        is_compound = given[0] in ("all", "any", "none")
        if is_compound and (self.field is not None or self.column is not None):
            raise ValueError(f"{given[0]} holds conditions, which name their fields themselves")
        return self

    @property
    def parts(self) -> tuple[Condition, ...]:
        """The conditions that it holds."""
        return self.all_ or self.any_ or self.none_ or ()

    def field_names(self) -> Iterator[str]:
        """Yield the fields that it looks at."""
        if self.field is not None:
            yield self.field
        for part in self.parts:
            yield from part.field_names()

    def looks_at_line(self) -> bool:
        """Whether a part of it looks at the whole line."""
        if self.parts:
            return any(part.looks_at_line() for part in self.parts)
        return self.field is None and self.column is None

    def column_names(self) -> Iterator[str]:
        """Yield the columns that it looks at."""
        if self.column is not None:
            yield self.column
        for part in self.parts:
            yield from part.column_names()
