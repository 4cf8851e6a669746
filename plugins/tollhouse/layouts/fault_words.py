"""What is wrong with a layout, in words of people: what pydantic found, and what is allowed."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from typing import Any, get_args

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from tollhouse.layouts.declaration import Layout

#: What pydantic calls a fault, and how a person would.
WORDS = {
    "missing": "is missing",
    "union_tag_not_found": "is missing the key `kind`",
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "int_parsing": "must be a whole number",
    "int_type": "must be a whole number",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
    "string_type": "must be a text",
    "tuple_type": "must be a list",
    "list_type": "must be a list",
    "too_short": "must not be empty",
    "dict_type": "must hold keys and values",
    "model_type": "must hold keys and values",
    "model_attributes_type": "must hold keys and values",
}
#: A layout's id is the name of its file.
NO_KEY = "layout_id"


def words_of(fault: ErrorDetails) -> str:
    """Return what is wrong and what is allowed."""
    kind, context = fault["type"], fault.get("ctx", {})
    if kind in WORDS:
        return WORDS[kind]
    if kind in ("string_pattern_mismatch", "string_unicode") and fault["loc"] == (NO_KEY,):
        return "the file's name is the layout's id: small letters, digits and _, then .yml"
    if kind == "extra_forbidden":
        return _unknown_key(fault["loc"])
    if kind == "literal_error":
        return f"must be {context['expected']}"
    if kind == "union_tag_invalid":
        return f"must be one of {context['expected_tags']}"
    message = fault["msg"].removeprefix("Value error, ")
    return re.sub(r"^(Input|String|Dictionary|Tuple|Value) should ", "must ", message)


def _unknown_key(location: Sequence[str | int]) -> str:
    known = list(dict.fromkeys(keys_at(location[:-1])))
    alike = difflib.get_close_matches(str(location[-1]), known, n=1)
    meant = f"is {alike[0]} meant? " if alike else ""
    return f"is no key that is known here; {meant}known are {', '.join(known)}"


def keys_at(location: Sequence[str | int]) -> Iterator[str]:
    """Yield the keys that a layout may have at a place, as pydantic names places."""
    models: list[type[BaseModel]] = [Layout]
    for step in location:
        inner = [
            model
            for outer in models
            for name, field in outer.model_fields.items()
            if step == (field.alias or name)
            for model in _models_in(field.annotation)
        ]
        # A place in a list, and a key that somebody chose, lead to nothing else.
        models = inner or _of_kind(models, step) or models
    for model in models:
        names = model.model_fields.items()
        yield from (field.alias or name for name, field in names if name != NO_KEY)


def _of_kind(models: Sequence[type[BaseModel]], step: str | int) -> list[type[BaseModel]]:
    """Return the kind of tickets that a step names."""
    return [
        model
        for model in models
        if "kind" in model.model_fields and step in get_args(model.model_fields["kind"].annotation)
    ]


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models_in(part)
