"""Of which kind the tickets of a sample are."""

from __future__ import annotations

from tollhouse.layouts.drafting.content import DraftError, Sample
from tollhouse.layouts.drafting.delimited import delimited_shape
from tollhouse.layouts.drafting.fixed import fixed_shape
from tollhouse.layouts.drafting.json_tree import json_shape
from tollhouse.layouts.drafting.shape import Shape
from tollhouse.layouts.drafting.tokens import named_values_shape, words_shape
from tollhouse.layouts.drafting.xml_tree import xml_shape


def shape_of(sample: Sample) -> Shape:
    """Return how a sample becomes tickets and fields.

    Raises:
        DraftError: it does not.
    """
    shape = json_shape(sample) or xml_shape(sample)
    if shape is not None:
        return shape
    name = sample.files[0].name
    start = sample.files[0].text.lstrip()[:1]
    if not sample.lines:
        raise DraftError(
            f"{name} has no line that can be read whole: its first line end comes too late, or "
            "never. A layout whose records end with another character has to be written by hand: "
            "`record_separator` names it."
        )
    if start == "<" and ">" in sample.files[0].text:
        raise DraftError(f"{name} begins as XML does, and no element in it has two values.")
    return (
        named_values_shape(sample)
        or delimited_shape(sample)
        or fixed_shape(sample)
        or words_shape(sample)
    )
