"""Values as YAML writes them, whatever they hold."""

from __future__ import annotations

import re

#: What YAML reads as the text that it is, without quotation marks.
PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./ -]*[A-Za-z0-9_]|[A-Za-z_]")
#: Texts that older readers of YAML take for something else.
WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
LETTER = re.compile(r"[^\W\d_]")


def scalar(value: object) -> str:
    """Return a value as YAML: a text in quotation marks unless it needs none."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    text = str(value)
    is_word = text.lower() in WORDS
    return text if _is_plain(text) and not is_word and " #" not in text else in_marks(text)


def in_marks(text: str) -> str:
    """Return a text as YAML between quotation marks."""
    if '"' in text and "'" not in text and text.isprintable() and max(text) < "\ud800":
        return f"'{text}'"
    return f'"{"".join(map(_escaped, text))}"'


def flow(value: object) -> str:
    """Return a value as YAML on one line, mappings and lists between brackets."""
    if isinstance(value, dict):
        return (
            "{" + ", ".join(f"{scalar(key)}: {flow(inner)}" for key, inner in value.items()) + "}"
        )
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(flow, value)) + "]"
    return scalar(value)


def _is_plain(text: str) -> bool:
    # Letters of any language are as plain as those of English.
    ascii_text = LETTER.sub("a", text)
    return bool(PLAIN.fullmatch(ascii_text)) and text.isprintable() and max(text) < "\ud800"


def _escaped(sign: str) -> str:
    if sign in '"\\':
        return f"\\{sign}"
    if sign.isprintable() and not "\ud800" <= sign <= "\udfff":
        return sign
    number = ord(sign)
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
