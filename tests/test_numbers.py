"""Numbers as a PBX writes them, read by the seeds that ship (R5, R6)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.independent_rating import Call
from tests.test_rating import put_calls
from tollhouse.directory.loading import load_directory
from tollhouse.settings import Settings
from tollhouse.warehouse import DBT, connect

pytestmark = pytest.mark.postgres

#: Dialled in Paris behind an outside line 0 that tickets may or may not contain: what it is.
DIALLED = {
    "00199001234": "+33199001234",
    "0199001234": "+33199001234",
    "01.99.00.12.34": "+33199001234",
    "*31#0199001234": "+33199001234",
    "0#31#0199001234": "+33199001234",
    "016120199001234": "+33199001234",
    "+33 (0)1 99 00 12 34": "+33199001234",
    "sip:+33199001234@pbx.example": "+33199001234",
    # Ambiguous with +1 23 45 67 89: the exact national length wins.
    "00123456789": "+33123456789",
    "0004411349601234": "+4411349601234",
    "004411349601234": "+4411349601234",
    "00639981234": "+33639981234",
    "00639123456": "+262639123456",
    "00262123456": "+262262123456",
    "00590123456": "+590590123456",
    "00594123456": "+594594123456",
    "00596123456": "+596596123456",
    "00508123456": "+508123456",
    "007001234567890": "+337001234567890",
    "00199 00 xxxx": "+3319900",
    "0019900****": "+3319900",
    "019900....": "+3319900",
    "01.99.00.12.34.": "+33199001234",
    # Masked digits have a length: this is neither 12 nor an extension.
    "12........": "unknown",
    "15": "15 short_FR emergency",
    "015": "15 short_FR emergency",
    "112": "112 short_FR emergency",
    "0116000": "116000 short_FR free",
    "03010": "3010 short_FR free",
    "03008": "3008 short_FR",
    "03175": "3175 short_FR",
    "0118712": "118712 short_FR special",
    # An M2M number cut at ten digits is not a number of +7 either.
    "00700123456": "unknown",
    "00999123456789": "unknown",
    "04567": "unknown",
    "someone@pbx.example": "unknown",
    "0' or 1=1 --": "unknown",
}


def test_dialled_numbers_are_read_by_the_french_plan(warehouse: Settings) -> None:
    load_directory(warehouse)
    at = datetime(2026, 10, 20, tzinfo=UTC)
    calls = [Call("paris_hq", "4200", number, at, 60) for number in DIALLED]
    with connect(DBT, settings=warehouse) as connection:
        put_calls(connection, calls)
        found = connection.execute(
            "select called_number, coalesce(called_e164, case when called_namespace = 'unknown' "
            "then 'unknown' else concat_ws(' ', ltrim(called_number, '0'), called_namespace, "
            "destination_class) end) from intermediate.int_legs__hypothetical_rated"
        ).fetchall()
        connection.rollback()
    assert dict(found) == DIALLED
