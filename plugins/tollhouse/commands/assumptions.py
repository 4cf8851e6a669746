"""What a command is told about the PBX that tickets are taken to come from, checked."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from zoneinfo import available_timezones

from babel import Locale

from tollhouse.parsing import ParsingError

#: Codes that CLDR lists among its territories and that are no country.
NO_COUNTRIES = frozenset({"EU", "EZ", "QO", "UN", "XA", "XB", "ZZ"})


def checked_time_zone(name: str) -> str:
    """Return a time zone that is one everywhere.

    Raises:
        ParsingError: it is none.
    """
    # Names without a region, such as localtime and Factory, mean something else on each machine.
    if name not in available_timezones() or ("/" not in name and name != "UTC"):
        raise ParsingError(f"{name!r} is no time zone; write it as in Europe/Paris.")
    return name


def checked_country(code: str) -> str:
    """Return the code of a country.

    Raises:
        ParsingError: it is none.
    """
    is_country = len(code) == 2 and code.isalpha() and code not in NO_COUNTRIES
    if not is_country or code not in Locale("en").territories:
        raise ParsingError(f"{code!r} is no country code; write it as in FR.")
    return code


def instant(text: str | None) -> datetime:
    """Return an instant, of UTC where it has no offset; now where there is none.

    Raises:
        ParsingError: it is none.
    """
    if text is None:
        return datetime.now(tz=UTC)
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise ParsingError(
            f"{text!r} is no instant; write it as in 2026-03-01T08:00:00+01:00."
        ) from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def json_object(text: str) -> dict[str, object]:
    """Return the object that a text is as JSON.

    Raises:
        ParsingError: it is none.
    """
    try:
        value = json.loads(text)
    except ValueError as error:
        raise ParsingError(f"The settings are no JSON: {error}.") from error
    if not isinstance(value, dict):
        raise ParsingError("The settings are no JSON object.")
    return value
