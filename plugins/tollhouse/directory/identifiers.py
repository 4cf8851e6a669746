"""Check digits of the numbers that an invoice must carry: SIREN, SIRET, VAT number, IBAN.

A wrong digit here is found by the customer's accountant, after the invoice was issued and can no
longer change.
"""

from __future__ import annotations

import re

VAT_NUMBER = re.compile(r"[A-Z]{2}[0-9A-Z+*]{2,12}")
FRENCH_VAT_NUMBER = re.compile(r"FR[0-9]{11}")
IBAN = re.compile(r"[A-Z]{2}[0-9]{2}[0-9A-Z]{11,30}")
IBAN_LENGTHS = {
    "BE": 16,
    "CH": 21,
    "DE": 22,
    "ES": 24,
    "FR": 27,
    "GB": 22,
    "IT": 27,
    "LU": 20,
    "MC": 27,
    "NL": 18,
}

#: La Poste: the SIRET of its offices keep the sum of their digits a multiple of 5 instead of the
#: Luhn key.
SIREN_OF_LA_POSTE = "356000000"


def has_luhn_key(digits: str) -> bool:
    """Whether the last digit is the Luhn key of the others."""
    doubled = [int(digit) * (2 if place % 2 else 1) for place, digit in enumerate(reversed(digits))]
    return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0


def siren_fault(siren: str) -> str | None:
    """Return why this is no SIREN, or nothing."""
    if not re.fullmatch(r"[0-9]{9}", siren):
        return "a SIREN has 9 digits and nothing else"
    return None if has_luhn_key(siren) else "the check digit of this SIREN is wrong"


def siret_fault(siret: str) -> str | None:
    """Return why this is no SIRET, or nothing."""
    if not re.fullmatch(r"[0-9]{14}", siret):
        return "a SIRET has 14 digits and nothing else"
    if siret.startswith(SIREN_OF_LA_POSTE) and sum(map(int, siret)) % 5 == 0:
        return None
    return None if has_luhn_key(siret) else "the check digit of this SIRET is wrong"


def vat_number_fault(vat_number: str) -> str | None:
    """Return why this is no VAT number, or nothing; checks the key of the usual French form."""
    if not VAT_NUMBER.fullmatch(vat_number):
        return "a VAT number is a country code and 2 to 12 letters or digits, without blanks"
    if FRENCH_VAT_NUMBER.fullmatch(vat_number):
        key, siren = int(vat_number[2:4]), int(vat_number[4:])
        if key != (12 + 3 * (siren % 97)) % 97:
            return "the key of this French VAT number is wrong"
    return None


def iban_fault(iban: str) -> str | None:
    """Return why this is no IBAN, or nothing (ISO 13616: the rearranged number is 1 modulo 97)."""
    if not IBAN.fullmatch(iban):
        return "an IBAN is a country code, 2 digits and 11 to 30 letters or digits, without blanks"
    length = IBAN_LENGTHS.get(iban[:2])
    if length is not None and len(iban) != length:
        return f"an IBAN of {iban[:2]} has {length} characters, this one has {len(iban)}"
    digits = "".join(str(int(character, 36)) for character in iban[4:] + iban[:4])
    return None if int(digits) % 97 == 1 else "the check digits of this IBAN are wrong"
