"""Write the demo's directory: include/directory/*.csv, always the same bytes.

Every party, price and person is invented. Telephone numbers come from the ranges that the French
regulator keeps for fiction, and the international deck from the numbering plan in
dbt_project/seeds. Run it after the seeds have changed:

    .venv/bin/python scripts/make_demo_directory.py
"""

from __future__ import annotations

import csv
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from tollhouse.directory.files import FILES
from tollhouse.directory.identifiers import has_luhn_key, iban_fault

PROJECT = Path(__file__).resolve().parents[1]
SEEDS = PROJECT / "dbt_project" / "seeds"
DIRECTORY = PROJECT / "include" / "directory"

ISSUER = "operateur_exemple"
SINCE = "2020-01-01"
#: The day of October 2026 on which an extension changes hands: calls of one month go to two
#: services.
EXTENSION_MOVES_ON = "2026-10-12"
#: The deck stops at this length: longer prefixes take the price of the shorter one that begins
#: them.
LONGEST_DECK_PREFIX = 6
LINE_KINDS = {"MOBILE": "mobile", "PREMIUM": "special", "SHARED_COST": "special"}
KIND_NAMES = {"fixed": "fixe", "mobile": "mobile", "special": "numéros spéciaux"}
#: Mobile numbers of these countries cost what fixed ones do, as in most decks: their plans
#: interleave the two.
ONE_PRICE_REGIONS = {"IN", "CN", "US", "CA"}
#: Guernsey, Man and Jersey have blocks within the plan and the price of the United Kingdom.
BRITISH_ISLANDS = {"GG", "IM", "JE"}

NEAR_REGIONS = {
    "AD", "AT", "BE", "BG", "CA", "CH", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FO", "GB",
    "GG", "GI", "GR", "HR", "HU", "IE", "IM", "IS", "IT", "JE", "LI", "LT", "LU", "LV", "MC",
    "MT", "NL", "NO", "PL", "PT", "RO", "SE", "SI", "SK", "SM", "US", "VA",
}  # fmt: skip
OVERSEAS_REGIONS = {"RE", "YT", "GP", "GF", "MQ", "PM", "BL", "MF"}
MIDDLE_REGIONS = {
    "AE", "AL", "AR", "AU", "BA", "BR", "CL", "CN", "DZ", "EG", "HK", "ID", "IL", "IN", "JP",
    "KR", "MA", "MD", "ME", "MK", "MX", "MY", "NZ", "PE", "PH", "RS", "RU", "SA", "SG", "TH",
    "TN", "TR", "TW", "UA", "VN", "XK", "ZA",
}  # fmt: skip

FIRST_NAMES = (
    "Alix",
    "Camille",
    "Charlie",
    "Dominique",
    "Eden",
    "Gaby",
    "Jocelyn",
    "Lou",
    "Maxime",
    "Morgan",
    "Noa",
    "Sacha",
    "Sasha",
    "Stéphane",
    "Yaël",
)


@dataclass(frozen=True)
class PriceList:
    """How the invented prices of one version of a tariff are made."""

    tariff_id: str
    version: str
    valid_from: str
    factor: Decimal
    connection_fee: Decimal
    has_long_increments: bool


PRICE_LISTS = (
    PriceList("sale_business", "2026-01", "2026-01-01", Decimal("1"), Decimal("0.080000"), True),
    PriceList(
        "sale_business", "2026-10", "2026-10-16", Decimal("1.045"), Decimal("0.075000"), True
    ),
    PriceList("sale_operator", "2026-01", "2026-01-01", Decimal("0.41"), Decimal(0), False),
    PriceList("sale_operator", "2026-10", "2026-10-10", Decimal("0.4025"), Decimal(0), False),
    PriceList("cost_carrier_demo", "2026-01", "2026-01-01", Decimal("0.3"), Decimal(0), False),
)


def read_seed(name: str) -> list[dict[str, str]]:
    """Return the rows of a seed."""
    with (SEEDS / f"{name}.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def siren(number: int) -> str:
    """Return an invented SIREN: 000, which no company has, the number and the check digit."""
    body = f"000{number:05d}"
    return next(body + digit for digit in "0123456789" if has_luhn_key(body + digit))


def siret(company: str) -> str:
    """Return the SIRET of the first establishment of a company."""
    body = f"{company}0001"
    return next(body + digit for digit in "0123456789" if has_luhn_key(body + digit))


def vat_number(company: str) -> str:
    """Return the French VAT number of a company."""
    return f"FR{(12 + 3 * (int(company) % 97)) % 97:02d}{company}"


def iban() -> str:
    """Return the IBAN of account 0 of bank 0: valid to the letter and of nobody."""
    account = "0" * 21 + "97"
    return next(
        candidate
        for key in range(2, 99)
        if iban_fault(candidate := f"FR{key:02d}{account}") is None
    )


def parties() -> dict[str, list[dict[str, object]]]:
    """Return the rows of issuers, customers and services."""
    own = siren(1)
    issuer = {
        "issuer_id": ISSUER,
        "legal_name": "Opérateur Exemple SAS",
        "legal_form": "SAS",
        "share_capital": "10 000 €",
        "siren": own,
        "siret": siret(own),
        "trade_register": f"RCS Paris {own[:3]} {own[3:6]} {own[6:]}",
        "vat_number": vat_number(own),
        "address_line_1": "1 rue de l'Exemple",
        "postal_code": "75000",
        "city": "Paris",
        "country": "FR",
        "email": "facturation@operateur-exemple.example",
        "phone": "+33199000100",
        "iban": iban(),
        "bic": "EXEMFRPP",
        "late_payment_rate_percent": "12.15",
        "recovery_fee_amount": "40.00",
        "invoice_series": "OE",
        "primary_colour": "#1a5276",
    }
    customers = [
        ("compte_interne", "Opérateur Exemple SAS", own, "1 rue de l'Exemple", "75000", "Paris"),
        (
            "atelier_exemple",
            "Atelier Exemple SARL",
            siren(101),
            "12 rue des Inventés",
            "75000",
            "Paris",
        ),
        (
            "cabinet_fictif",
            "Cabinet Fictif SELARL",
            siren(102),
            "3 place Imaginaire",
            "75000",
            "Paris",
        ),
        ("support_exemple", "Support Exemple SAS", siren(103), "8 quai du Modèle", "69000", "Lyon"),
        (
            "operateur_fictif",
            "Opérateur Fictif Télécom SAS",
            siren(104),
            "5 cours Factice",
            "69000",
            "Lyon",
        ),
        (
            "usine_exemple",
            "Usine Exemple SA",
            siren(105),
            "20 avenue de la Maquette",
            "59000",
            "Lille",
        ),
        (
            "comptoir_exemple",
            "Comptoir Exemple Guyane SARL",
            siren(106),
            "2 rue Fictive",
            "97300",
            "Cayenne",
        ),
        (
            "hotel_modele",
            "Hôtel Modèle SARL",
            siren(109),
            "9 promenade Factice",
            "06000",
            "Nice",
        ),
        (
            "banque_imaginaire",
            "Banque Imaginaire SA",
            siren(110),
            "7 rue de la Fiction",
            "21000",
            "Dijon",
        ),
        ("port_fictif", "Port Fictif SA", siren(108), "1 quai Imaginé", "29200", "Brest"),
        (
            "clinique_exemple",
            "Clinique Exemple SAS",
            siren(107),
            "4 rue du Spécimen",
            "76000",
            "Rouen",
        ),
        (
            "polyclinique_fictive",
            "Polyclinique Fictive SAS",
            siren(111),
            "6 place du Gabarit",
            "62300",
            "Lens",
        ),
        (
            "fabrique_modele",
            "Fabrique Modèle SARL",
            siren(112),
            "15 chemin de l'Essai",
            "81000",
            "Albi",
        ),
        (
            "musee_imaginaire",
            "Musée Imaginaire Association",
            siren(113),
            "2 rue des Copies",
            "13200",
            "Arles",
        ),
        (
            "laboratoire_exemple",
            "Laboratoire Exemple SAS",
            siren(114),
            "11 allée du Prototype",
            "35000",
            "Rennes",
        ),
        (
            "manufacture_fictive",
            "Manufacture Fictive SA",
            siren(115),
            "30 boulevard du Patron",
            "14000",
            "Caen",
        ),
        (
            "commerce_modele",
            "Commerce Modèle SARL",
            siren(116),
            "17 rue du Calque",
            "31000",
            "Toulouse",
        ),
        (
            "etude_fictive",
            "Étude Fictive SELARL",
            siren(117),
            "22 rue de la Minute",
            "33000",
            "Bordeaux",
        ),
        (
            "palace_factice",
            "Palace Factice SA",
            siren(118),
            "1 esplanade Inventée",
            "64200",
            "Biarritz",
        ),
        (
            "imprimerie_exemple",
            "Imprimerie Exemple SARL",
            siren(119),
            "8 rue de l'Épreuve",
            "40100",
            "Dax",
        ),
        (
            "agence_imaginaire",
            "Agence Imaginaire SAS",
            siren(120),
            "14 cours Supposé",
            "40000",
            "Mont-de-Marsan",
        ),
        (
            "scierie_modele",
            "Scierie Modèle SARL",
            siren(121),
            "3 route du Patronage",
            "74000",
            "Annecy",
        ),
    ]
    services = [
        {
            "service_id": "unassigned",
            "customer_id": "compte_interne",
            "service_name": "Appels non attribués",
            "is_billable": "false",
        },
        {
            "service_id": "atelier_paris",
            "customer_id": "atelier_exemple",
            "service_name": "Téléphonie Atelier Paris",
        },
        {
            "service_id": "cabinet_paris",
            "customer_id": "cabinet_fictif",
            "service_name": "Téléphonie Cabinet Paris",
            "shows_full_numbers": "true",
        },
        {
            "service_id": "support_lyon",
            "customer_id": "support_exemple",
            "service_name": "Support centre Lyon",
            "language": "en",
        },
        {
            "service_id": "operateur_lyon",
            "customer_id": "operateur_fictif",
            "service_name": "Interconnexion Lyon",
            "vat_regime": "reverse_charge_283_2_octies",
            "vat_rate_percent": "0.00",
        },
        {
            "service_id": "usine_lille",
            "customer_id": "usine_exemple",
            "service_name": "Téléphonie Usine Lille",
        },
        {
            "service_id": "comptoir_lille",
            "customer_id": "comptoir_exemple",
            "service_name": "Bureau Comptoir Lille",
            "vat_regime": "zero",
            "vat_rate_percent": "0.00",
            "wants_annex": "false",
            "vat_exemption_reason": "TVA non applicable en Guyane, art. 294-1 du CGI",
        },
        {
            "service_id": "hotel_nice",
            "customer_id": "hotel_modele",
            "service_name": "Téléphonie Hôtel Nice",
        },
        {
            "service_id": "clinique_rouen",
            "customer_id": "clinique_exemple",
            "service_name": "Téléphonie Clinique Rouen",
        },
        {
            "service_id": "port_brest",
            "customer_id": "port_fictif",
            "service_name": "Téléphonie Port Brest",
        },
        {
            "service_id": "banque_dijon",
            "customer_id": "banque_imaginaire",
            "service_name": "Téléphonie Banque Dijon",
        },
        {
            "service_id": "clinique_lens",
            "customer_id": "polyclinique_fictive",
            "service_name": "Téléphonie Polyclinique Lens",
        },
        {
            "service_id": "fabrique_albi",
            "customer_id": "fabrique_modele",
            "service_name": "Téléphonie Fabrique Albi",
        },
        {
            "service_id": "musee_arles",
            "customer_id": "musee_imaginaire",
            "service_name": "Téléphonie Musée Arles",
        },
        {
            "service_id": "laboratoire_rennes",
            "customer_id": "laboratoire_exemple",
            "service_name": "Téléphonie Laboratoire Rennes",
        },
        {
            "service_id": "manufacture_caen",
            "customer_id": "manufacture_fictive",
            "service_name": "Téléphonie Manufacture Caen",
        },
        {
            "service_id": "commerce_lignes",
            "customer_id": "commerce_modele",
            "service_name": "Lignes Commerce Modèle",
        },
        {
            "service_id": "etude_lignes",
            "customer_id": "etude_fictive",
            "service_name": "Lignes Étude Fictive",
        },
        {
            "service_id": "palace_biarritz",
            "customer_id": "palace_factice",
            "service_name": "Téléphonie Palace Biarritz",
        },
        {
            "service_id": "imprimerie_trunk",
            "customer_id": "imprimerie_exemple",
            "service_name": "Trunk Imprimerie Exemple",
        },
        {
            "service_id": "agence_trunk",
            "customer_id": "agence_imaginaire",
            "service_name": "Trunk Agence Imaginaire",
        },
        {
            "service_id": "scierie_annecy",
            "customer_id": "scierie_modele",
            "service_name": "Téléphonie Scierie Annecy",
        },
        {
            "service_id": "agences",
            "customer_id": "compte_interne",
            "service_name": "Agences",
            "is_billable": "false",
        },
    ]
    return {
        "issuers": [dict(issuer)],
        "customers": [
            {
                "customer_id": customer_id,
                "issuer_id": ISSUER,
                "legal_name": name,
                "siren": company,
                "vat_number": vat_number(company),
                "address_line_1": street,
                "postal_code": postal_code,
                "city": city,
                "country": "FR",
                "email": f"comptabilite@{customer_id.replace('_', '-')}.example",
            }
            for customer_id, name, company, street, postal_code, city in customers
        ],
        "services": [
            {
                "issuer_id": ISSUER,
                "is_billable": "true",
                "vat_regime": "standard",
                "vat_rate_percent": "20.00",
                "wants_annex": "true",
                "shows_full_numbers": "false",
                **service,
            }
            for service in services
        ],
    }


#: pbx, first and last extension, service, cost centre.
EXTENSION_BLOCKS = (
    ("paris_hq", 4200, 4259, "atelier_paris", "ATELIER"),
    ("paris_hq", 4260, 4299, "cabinet_paris", "CABINET"),
    ("lyon_support", 6000, 6049, "support_lyon", "SUPPORT"),
    ("lyon_support", 6050, 6079, "operateur_lyon", "INTERCO"),
    ("lille_plant", 3100, 3179, "usine_lille", "USINE"),
    ("lille_plant", 3180, 3199, "comptoir_lille", "COMPTOIR"),
    ("nice_hotel", 300, 359, "hotel_nice", "HOTEL"),
    ("reims_cellar", 700, 729, "agences", "REIMS"),
    ("dijon_bank", 2100, 2149, "banque_dijon", "BANQUE"),
    ("tours_shop", 4100, 4129, "agences", "TOURS"),
    ("metz_office", 200, 229, "agences", "METZ"),
    ("brest_port", 5100, 5149, "port_brest", "PORT"),
    ("cannes_palace", 800, 839, "agences", "CANNES"),
    ("pau_mill", 2000, 2019, "agences", "PAU"),
    ("nantes_depot", 4000, 4019, "agences", "NANTES"),
    ("nancy_labs", 5500, 5549, "agences", "NANCY"),
    ("rouen_clinic", 200, 279, "clinique_rouen", "CLINIQUE"),
    ("lens_clinic", 400, 449, "clinique_lens", "CLINIQUE"),
    ("vichy_spa", 500, 529, "agences", "VICHY"),
    ("albi_works", 2300, 2349, "fabrique_albi", "FABRIQUE"),
    ("arles_museum", 1000, 1049, "musee_arles", "MUSEE"),
    ("sete_harbour", 600, 629, "agences", "SETE"),
    ("rennes_lab", 120, 149, "laboratoire_rennes", "LABO"),
    ("toulon_yard", 1200, 1229, "agences", "TOULON"),
    ("quimper_office", 160, 179, "agences", "QUIMPER"),
    ("agen_office", 6200, 6229, "agences", "AGEN"),
    ("caen_factory", 5200, 5239, "manufacture_caen", "MANUFACTURE"),
    ("mulhouse_depot", 730, 759, "agences", "MULHOUSE"),
    ("nimes_arena", 4020, 4039, "agences", "NIMES"),
    ("biarritz_palace", 301, 340, "palace_biarritz", "PALACE"),
    ("annecy_cloud", 6100, 6129, "scierie_annecy", "SCIERIE"),
)

NUMBER_RANGES = (
    ("paris_hq", "+33199001000", "+33199001259", "atelier_paris"),
    ("paris_hq", "+33199001260", "+33199001999", "cabinet_paris"),
    ("lyon_support", "+33465710000", "+33465710049", "support_lyon"),
    ("lyon_support", "+33465710050", "+33465710079", "operateur_lyon"),
    ("lyon_support", "+33465710080", "+33465710999", "support_lyon"),
    ("lille_plant", "+33353012000", "+33353012179", "usine_lille"),
    ("lille_plant", "+33353012180", "+33353012199", "comptoir_lille"),
    ("lille_plant", "+33353012200", "+33353012999", "usine_lille"),
    ("nice_hotel", "+33465711000", "+33465711999", "hotel_nice"),
    ("reims_cellar", "+33353016000", "+33353016999", "agences"),
    ("dijon_bank", "+33353014000", "+33353014999", "banque_dijon"),
    ("tours_shop", "+33261915000", "+33261915999", "agences"),
    ("metz_office", "+33353013000", "+33353013999", "agences"),
    ("brest_port", "+33261913000", "+33261913999", "port_brest"),
    ("cannes_palace", "+33465712000", "+33465712999", "agences"),
    ("pau_mill", "+33536491000", "+33536491999", "agences"),
    ("nantes_depot", "+33261916000", "+33261916999", "agences"),
    ("nancy_labs", "+33353018000", "+33353018999", "agences"),
    ("rouen_clinic", "+33261912000", "+33261912999", "clinique_rouen"),
    ("lens_clinic", "+33353019000", "+33353019999", "clinique_lens"),
    ("vichy_spa", "+33465714000", "+33465714999", "agences"),
    ("albi_works", "+33536492000", "+33536492999", "fabrique_albi"),
    ("arles_museum", "+33465713000", "+33465713999", "musee_arles"),
    ("sete_harbour", "+33465716000", "+33465716999", "agences"),
    ("rennes_lab", "+33261917000", "+33261917999", "laboratoire_rennes"),
    ("toulon_yard", "+33465718000", "+33465718999", "agences"),
    ("quimper_office", "+33261919000", "+33261919999", "agences"),
    ("agen_office", "+33536496000", "+33536496999", "agences"),
    ("caen_factory", "+33261918000", "+33261918999", "manufacture_caen"),
    ("mulhouse_depot", "+33353011000", "+33353011999", "agences"),
    ("nimes_arena", "+33465717000", "+33465717999", "agences"),
    ("carrier_modele", "+33536493000", "+33536493059", "commerce_lignes"),
    ("carrier_modele", "+33536493060", "+33536493999", "etude_lignes"),
    ("biarritz_palace", "+33536494000", "+33536494999", "palace_biarritz"),
    ("annecy_cloud", "+33465719000", "+33465719999", "scierie_annecy"),
)


def ownership() -> dict[str, list[dict[str, object]]]:
    """Return the rows that say which service a call belongs to."""
    extensions: list[dict[str, object]] = []
    for pbx_id, first, last, service_id, cost_centre in EXTENSION_BLOCKS:
        for extension in range(first, last + 1):
            row: dict[str, object] = {
                "pbx_id": pbx_id,
                "extension": extension,
                "service_id": service_id,
                "holder_name": f"{FIRST_NAMES[extension % len(FIRST_NAMES)]} Exemple {extension}",
                "cost_centre": cost_centre,
                "valid_from": SINCE,
            }
            if extension == 4259:
                extensions.append({**row, "valid_to": EXTENSION_MOVES_ON})
                row |= {
                    "service_id": "cabinet_paris",
                    "cost_centre": "CABINET",
                    "valid_from": EXTENSION_MOVES_ON,
                }
            extensions.append(row)
    return {
        "extensions": extensions,
        "number_ranges": [
            {
                "pbx_id": pbx_id,
                "first_number": first,
                "last_number": last,
                "service_id": service_id,
                "valid_from": SINCE,
            }
            for pbx_id, first, last, service_id in NUMBER_RANGES
        ],
        "account_codes": [
            {
                "pbx_id": "paris_hq",
                "account_code": "240117",
                "service_id": "cabinet_paris",
                "valid_from": SINCE,
            },
            {
                "pbx_id": "lyon_support",
                "account_code": "550042",
                "service_id": "support_lyon",
                "valid_from": SINCE,
            },
            {
                "pbx_id": "rennes_lab",
                "account_code": "7001",
                "service_id": "laboratoire_rennes",
                "valid_from": SINCE,
            },
            # Of carriers: an account that some calls name, and customers known by nothing else.
            {
                "pbx_id": "carrier_modele",
                "account_code": "C-7710",
                "service_id": "etude_lignes",
                "valid_from": SINCE,
            },
            {
                "pbx_id": "trunk_exemple",
                "account_code": "CL-4471",
                "service_id": "imprimerie_trunk",
                "valid_from": SINCE,
            },
            {
                "pbx_id": "trunk_exemple",
                "account_code": "CL-4472",
                "service_id": "agence_trunk",
                "valid_from": SINCE,
            },
        ],
        "trunks": [
            {
                "pbx_id": "lyon_support",
                "trunk": "PJSIP/fax",
                "service_id": "support_lyon",
                "valid_from": SINCE,
            },
            {
                "pbx_id": "lille_plant",
                "trunk": "GW-ALARM",
                "service_id": "usine_lille",
                "valid_from": SINCE,
            },
        ],
        "tariff_assignments": [
            *(
                {
                    "side": "sale",
                    "owner_kind": "service",
                    "owner_id": service_id,
                    "valid_from": SINCE,
                    "tariff_id": "sale_operator"
                    if service_id == "operateur_lyon"
                    else "sale_business",
                }
                for service_id in (
                    "unassigned",
                    "atelier_paris",
                    "cabinet_paris",
                    "support_lyon",
                    "operateur_lyon",
                    "usine_lille",
                    "comptoir_lille",
                    "hotel_nice",
                    "clinique_rouen",
                    "port_brest",
                    "banque_dijon",
                    "clinique_lens",
                    "fabrique_albi",
                    "musee_arles",
                    "laboratoire_rennes",
                    "manufacture_caen",
                    "commerce_lignes",
                    "etude_lignes",
                    "palace_biarritz",
                    "imprimerie_trunk",
                    "agence_trunk",
                    "scierie_annecy",
                    "agences",
                )
            ),
            {
                "side": "cost",
                "owner_kind": "carrier",
                "owner_id": "carrier_demo",
                "tariff_id": "cost_carrier_demo",
                "valid_from": SINCE,
            },
        ],
    }


FRENCH_DESTINATIONS = (
    ("fr_fixed", "France fixe", "national_fixed"),
    ("fr_non_geographic", "France non géographique (09)", "national_fixed"),
    ("fr_mobile", "France mobile", "national_mobile"),
    ("fr_m2m", "France machines (M2M)", "national_mobile"),
    ("fr_value_added", "Numéros 08 à valeur ajoutée", "special"),
    ("fr_other_08", "Autres numéros 08", "special"),
    ("fr_short_service", "Numéros courts à valeur ajoutée", "special"),
    ("fr_operator_service", "Services clients des opérateurs", "special"),
    ("fr_directory_enquiries", "Renseignements 118", "special"),
    ("fr_free", "Numéros gratuits", "free"),
    ("fr_helpline", "Lignes d'aide gratuites", "free"),
    ("fr_emergency", "Urgences", "emergency"),
    ("internal", "Appels internes", "internal"),
)

#: prefix, destination, price per minute of the business list, first and next increment.
FRENCH_PREFIXES = (
    *((prefix, "fr_fixed", "0.018", 60, 1) for prefix in ("331", "332", "333", "334", "335")),
    ("339", "fr_non_geographic", "0.0195", 60, 1),
    ("336", "fr_mobile", "0.075", 30, 6),
    ("337", "fr_mobile", "0.075", 30, 6),
    ("33700", "fr_m2m", "0.09", 30, 6),
    *((f"3380{digit}", "fr_free", "0", 1, 1) for digit in range(6)),
    *((f"3380{digit}", "fr_fixed", "0.018", 60, 1) for digit in range(6, 10)),
    ("3381", "fr_value_added", "0.062", 60, 60),
    ("3382", "fr_value_added", "0.166667", 60, 60),
    ("3389", "fr_value_added", "0.666667", 60, 60),
    *((prefix, "fr_other_08", "0.11", 60, 60) for prefix in ("33836", "3385", "33860", "33868")),
)


def deck() -> dict[str, tuple[str, str]]:
    """Return region and kind of line by prefix; no prefix that a shorter one implies."""
    prefixes = {}
    for row in read_seed("ref_e164_prefixes"):
        region = "GB" if row["region"] in BRITISH_ISLANDS else row["region"]
        prefix = row["e164_prefix"]
        if region == "FR" or len(prefix) > LONGEST_DECK_PREFIX:
            continue
        kind = LINE_KINDS.get(row["line_type"], "fixed")
        if kind == "mobile" and region in ONE_PRICE_REGIONS:
            kind = "fixed"
        prefixes[prefix] = (region, kind)
    while _merge_siblings(prefixes) or _drop_implied(prefixes):
        pass
    return prefixes


def _merge_siblings(prefixes: dict[str, tuple[str, str]]) -> bool:
    """Replace ten prefixes of one kind that differ in the last digit only by their common stem."""
    siblings = defaultdict(list)
    for prefix in prefixes:
        siblings[prefix[:-1]].append(prefix)
    merged = False
    for stem, members in siblings.items():
        kinds = {prefixes[member] for member in members}
        if stem and stem not in prefixes and len(members) == 10 and len(kinds) == 1:
            prefixes[stem] = kinds.pop()
            merged = True
    return merged


def _drop_implied(prefixes: dict[str, tuple[str, str]]) -> bool:
    """Drop each prefix whose next shorter one is of the same kind."""
    implied = []
    for prefix, kind in prefixes.items():
        shorter = (prefix[:length] for length in range(len(prefix) - 1, 0, -1))
        if next((prefixes[stem] for stem in shorter if stem in prefixes), None) == kind:
            implied.append(prefix)
    for prefix in implied:
        del prefixes[prefix]
    return bool(implied)


def international_price(region: str, kind: str) -> tuple[Decimal, int, int]:
    """Return the business list's price per minute, first and next increment, all invented."""
    spread = Decimal(zlib.crc32(region.encode()) % 89) * Decimal("0.000137")
    if region == "001":
        return Decimal("5.9") + spread, 60, 60
    if kind == "special":
        return Decimal("1.45") + spread, 60, 60
    if region in NEAR_REGIONS:
        price, first, following = Decimal("0.045"), 1, 1
    elif region in OVERSEAS_REGIONS or region in MIDDLE_REGIONS:
        price, first, following = Decimal("0.115"), 30, 6
    else:
        price, first, following = Decimal("0.29"), 60, 60
    return (price * 3 if kind == "mobile" else price) + spread, first, following


def short_numbers() -> Iterator[tuple[str, str, str, str, int, int]]:
    """Yield number, destination, connection fee, price per minute, first and next increment."""
    for row in read_seed("ref_fr_short_numbers"):
        number, category = row["short_number"], row["category"]
        if row["is_assigned"] == "false":
            continue
        if category != "special" or number == "3919":
            # 3919, violence against women, is free although its block is not.
            destination = {"emergency": "fr_emergency", "free": "fr_free"}.get(
                category, "fr_helpline"
            )
            yield number, destination, "0", "0", 1, 1
        elif number.startswith("118"):
            yield number, "fr_directory_enquiries", "1.5", "1.25", 60, 60
        elif number.startswith("10"):
            yield number, "fr_operator_service", "0", "0.018", 60, 1
        else:
            yield number, "fr_short_service", "0.1", "0.166667", 60, 60


def prices() -> dict[str, list[dict[str, object]]]:
    """Return destinations, tariffs, their versions and the rates."""
    names = {row["iso2"]: row["name_fr"] for row in read_seed("ref_country_calling_codes")}
    names["001"] = "Réseaux internationaux et satellites"
    international = deck()
    destinations = [
        *FRENCH_DESTINATIONS,
        *(
            (
                f"{region.lower()}_{kind}",
                f"{names.get(region, region)} ({KIND_NAMES[kind]})",
                "international",
            )
            for region, kind in sorted(set(international.values()))
        ),
    ]
    tariffs = [
        ("sale_business", "Entreprises (DEMO, prix inventés)"),
        ("sale_operator", "Opérateurs (DEMO, prix inventés)"),
        ("cost_carrier_demo", "Achat carrier_demo (DEMO, prix inventés)"),
    ]
    following = {"sale_business": "2026-10-16", "sale_operator": "2026-10-10"}
    return {
        "destinations": [
            {
                "destination_id": key,
                "destination_name": name,
                "destination_class": destination_class,
            }
            for key, name, destination_class in destinations
        ],
        "tariffs": [
            {
                "tariff_id": tariff_id,
                "tariff_name": name,
                "currency": "EUR",
                "country": "FR",
                "time_zone": "Europe/Paris",
                "rounding": "per_line",
                "rounding_decimals": 2,
            }
            for tariff_id, name in tariffs
        ],
        "tariff_versions": [
            {
                "tariff_id": price_list.tariff_id,
                "version": price_list.version,
                "valid_from": price_list.valid_from,
                "valid_to": following.get(price_list.tariff_id, "")
                if price_list.version == "2026-01"
                else "",
            }
            for price_list in PRICE_LISTS
        ],
        "rates": [rate for price_list in PRICE_LISTS for rate in rates(price_list, international)],
    }


def rates(
    price_list: PriceList, international: dict[str, tuple[str, str]]
) -> Iterator[dict[str, object]]:
    """Yield the rates of one version."""
    for prefix, destination, price, first, following in FRENCH_PREFIXES:
        fee = price_list.connection_fee if Decimal(price) else Decimal(0)
        yield _rate(price_list, "e164", prefix, destination, fee, Decimal(price), first, following)
    for prefix, (region, kind) in sorted(international.items()):
        price_per_minute, first, following = international_price(region, kind)
        yield _rate(
            price_list,
            "e164",
            prefix,
            f"{region.lower()}_{kind}",
            price_list.connection_fee,
            price_per_minute,
            first,
            following,
        )
    for number, destination, fee_text, price, first, following in short_numbers():
        fee = Decimal(fee_text) * price_list.factor
        yield _rate(
            price_list, "short_FR", number, destination, fee, Decimal(price), first, following
        )


def _rate(
    price_list: PriceList,
    namespace: str,
    prefix: str,
    destination_id: str,
    connection_fee: Decimal,
    price_per_minute: Decimal,
    first_increment: int,
    next_increment: int,
) -> dict[str, object]:
    is_dear = price_per_minute >= Decimal("0.6")
    return {
        "tariff_id": price_list.tariff_id,
        "version": price_list.version,
        "namespace": namespace,
        "prefix": prefix,
        "destination_id": destination_id,
        "connection_fee": f"{connection_fee:.6f}",
        "first_increment_seconds": first_increment if price_list.has_long_increments else 1,
        "next_increment_seconds": next_increment if price_list.has_long_increments else 1,
        "price_per_minute": f"{price_per_minute * price_list.factor:.6f}",
        "minimum_charge": "0.150000" if is_dear and price_list.has_long_increments else "",
        "maximum_charge": "150.000000" if destination_id == "001_special" else "",
    }


def write(name: str, columns: Iterable[str], rows: list[dict[str, object]]) -> None:
    """Write one file; columns without a value stay empty."""
    with (DIRECTORY / f"{name}.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(columns), restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def main() -> None:
    """Write every file."""
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    contents = {**parties(), **ownership(), **prices()}
    for file in FILES:
        write(file.name, file.columns, contents[file.name])


if __name__ == "__main__":
    main()
