"""Paths in JSON: ``call.from.number``, ``legs[0].id``, ``"a name with a dot. in it".id``."""

from __future__ import annotations

import re

MOST_STEPS = 20

#: The beginning of a path: a name, a quoted name, or a place in a list.
STEP = re.compile(
    r'"(?P<quoted>[^"\x00-\x1f]{1,200})"|(?P<name>[^\s."\[\]\x00-\x1f]{1,200})|\[(?P<place>\d{1,4})\]'
)


def json_path(path: str) -> tuple[str | int, ...]:
    """Return the steps of a path in JSON: names, and places in lists from 0.

    Raises:
        ValueError: it is no path.
    """
    steps: list[str | int] = []
    rest = path
    while rest:
        match = STEP.match(rest)
        if match is None:
            raise ValueError(
                f"{path!r} is no path at {rest!r}; write it as call.from or legs[0].id"
            )
        quoted, name, place = match["quoted"], match["name"], match["place"]
        if place is not None:
            steps.append(int(place))
        else:
            steps.append(name if quoted is None else quoted)
        rest = rest[match.end() :]
        if rest.startswith("."):
            rest = rest[1:]
            if not rest or rest.startswith("["):
                raise ValueError(f"{path!r} has nothing behind a dot")
        elif rest and not rest.startswith("["):
            raise ValueError(
                f"{path!r} is no path at {rest!r}; write it as call.from or legs[0].id"
            )
    if not steps or len(steps) > MOST_STEPS:
        raise ValueError("a path has from 1 to 20 steps")
    return tuple(steps)
