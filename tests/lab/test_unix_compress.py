"""What the lab compresses is what every Unix reads."""

from __future__ import annotations

import random
import subprocess

import pytest

from lab.unix_compress import compress

DIGITS = random.Random(5)
TEXTS = {
    "nothing": b"",
    "one byte": b"7",
    "one byte again and again": b"0" * 100_000,
    "a last group that is full": b"0123456789ABCDEF",
    "codes of two lengths": bytes(DIGITS.choices(b"0123456789 ", k=2_000)),
    "a table that is full": bytes(DIGITS.choices(range(256), k=300_000)),
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_gzip_reads_it(text: bytes) -> None:
    done = subprocess.run(["gzip", "-dc"], input=compress(text), capture_output=True, check=True)
    assert done.stdout == text


def test_tickets_that_are_mostly_blanks_become_much_smaller() -> None:
    text = b"".join(b"ED5.2%-30d%-30d" % (number, number) for number in range(2_000))
    assert len(compress(text)) < len(text) / 4
