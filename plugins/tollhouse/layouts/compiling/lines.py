"""Lines as they came, without what a port, a printer or an editor puts around them."""

from __future__ import annotations

from tollhouse.layouts.compiling.steps import Fault, Step, step_of

#: NULs, which framing keeps as \x00, a byte order mark and control characters but for the tab.
AROUND_LINES = r"(\\x00|\uFEFF|[\x01-\x08\x0a-\x1f\x7f])+"

WHOLE = "layout"


def lines_step(*, separator: str = "") -> Step:
    """Return the step that adds the column ``line``.

    Args:
        separator: of the values; a control character that separates belongs to the line.
    """
    line = (
        "case\n"
        "    when ascii(body) > 31 and ascii(body) not in (92, 127, 65279)\n"
        "        and ascii(right(body, 1)) > 31 and right(body, 4) <> '\\x00'\n"
        "        then body\n"
        f"    else regexp_replace(body, '^{AROUND_LINES}|{AROUND_LINES}$', '', 'g')\n"
        "end"
    )
    if separator and not separator.isprintable() and separator != "\t":
        line = "body"
    return step_of("lines", "tickets", {"line": line})


def blank_line(separator: str = "") -> Fault:
    """Return what is wrong with a line without anything on it."""
    blanks = "' '" if separator in ("", " ") else f"' ' || chr({ord(separator)})"
    return Fault(f"btrim(line, {blanks}) = ''", "blank_line")


def trimmed(expression: str) -> str:
    """Return a field: its text, trimmed, null when nothing is left."""
    return f"nullif(btrim({expression}), '')"


def plain(text: str) -> str:
    """Return a text of the layout, trimmed as fields are."""
    return text.strip(" ")
