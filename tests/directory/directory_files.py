"""A small directory that holds, in real files, for the tests to spoil one thing at a time."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import pytest

from tollhouse.directory.faults import DirectoryError, Fault
from tollhouse.directory.reading import Directory, read_directory
from tollhouse.settings import Settings

PBX_FILE = """\
pbxs:
  - id: paris_hq
    model: mitel_3300
    time_zone: Europe/Paris
    country: FR
    outside_line_prefix: "0"
    carrier: carrier_demo
    default_service: unassigned
  - id: lyon_support
    model: asterisk_mysql
    time_zone: Europe/Paris
    country: FR
"""

FILES = {
    "issuers.csv": """\
issuer_id,legal_name,legal_form,siren,siret,trade_register,vat_number,address_line_1,\
postal_code,city,country,iban,late_payment_rate_percent,invoice_series
exemple,Opérateur Exemple SAS,SAS,000000018,00000001800010,RCS Paris,FR66000000018,\
1 rue de l'Exemple,75000,Paris,FR,FR7600000000000000000000097,12.15,OE
""",
    "customers.csv": """\
customer_id,issuer_id,legal_name,vat_number,address_line_1,postal_code,city,country
atelier,exemple,Atelier Exemple SARL,FR53000001016,12 rue des Inventés,75000,Paris,FR
cabinet,exemple,Cabinet Fictif SELARL,,3 place Imaginaire,75000,Paris,FR
""",
    "services.csv": """\
service_id,issuer_id,customer_id,service_name,is_billable
unassigned,exemple,atelier,Non attribué,false
sales,exemple,atelier,Téléphonie ventes,true
legal,exemple,cabinet,Téléphonie cabinet,true
""",
    "destinations.csv": """\
destination_id,destination_name,destination_class
fr_fixed,France fixe,national_fixed
fr_mobile,France mobile,national_mobile
fr_short,Numéros courts,special
""",
    "tariffs.csv": """\
tariff_id,tariff_name,currency,country,time_zone
business,Entreprises,EUR,FR,Europe/Paris
cost,Achat,EUR,FR,Europe/Paris
""",
    "tariff_versions.csv": """\
tariff_id,version,valid_from,valid_to
business,2026-01,2026-01-01,2026-10-16
business,2026-10,2026-10-16,
cost,2026-01,2026-01-01,
""",
    "rates.csv": """\
tariff_id,version,namespace,prefix,destination_id,connection_fee,first_increment_seconds,\
next_increment_seconds,price_per_minute,minimum_charge,maximum_charge
business,2026-01,e164,331,fr_fixed,0.080000,60,60,0.018000,,
business,2026-01,e164,336,fr_mobile,0,30,6,0.075,,
business,2026-10,e164,331,fr_fixed,0.080000,60,60,0.019000,,
business,2026-10,e164,336,fr_mobile,0,1,1,0.0785,0.01,3
business,2026-10,short_FR,3200,fr_short,0.1,60,60,0.166667,,
cost,2026-01,e164,33,fr_fixed,0,1,1,0.004523,,
""",
    "extensions.csv": """\
pbx_id,extension,service_id,holder_name,cost_centre,valid_from,valid_to
paris_hq,4200,sales,Camille Exemple,A,2026-01-01,2026-10-12
paris_hq,4200,legal,Camille Exemple,A,2026-10-12,
paris_hq,4201,sales,Alix Exemple,A,2026-01-01,
lyon_support,6000,legal,,,2026-01-01,
""",
    "number_ranges.csv": """\
pbx_id,first_number,last_number,service_id,valid_from,valid_to
paris_hq,+33199001000,+33199001099,sales,2026-01-01,
paris_hq,+33199001100,+33199001199,legal,2026-01-01,
""",
    "account_codes.csv": """\
pbx_id,account_code,service_id,valid_from
paris_hq,0042,legal,2026-01-01
""",
    "trunks.csv": """\
pbx_id,trunk,service_id,valid_from
paris_hq,FAX,sales,2026-01-01
""",
    "tariff_assignments.csv": """\
side,owner_kind,owner_id,tariff_id,valid_from,valid_to
sale,service,sales,business,2026-01-01,
sale,service,legal,business,2026-01-01,
cost,carrier,carrier_demo,cost,2026-01-01,
""",
}


@dataclass(frozen=True)
class DirectoryFiles:
    """The files of one test: an include folder with pbx.yml and directory/."""

    include: Path

    @property
    def folder(self) -> Path:
        return self.include / "directory"

    @property
    def pbx_file(self) -> Path:
        return self.include / "pbx.yml"

    def path(self, name: str) -> Path:
        return self.pbx_file if name == "pbx.yml" else self.folder / name

    def replace(self, name: str, old: str, new: str) -> None:
        text = self.path(name).read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {name}"
        self.path(name).write_text(text.replace(old, new), encoding="utf-8")

    def append(self, name: str, *lines: str) -> None:
        with self.path(name).open("a", encoding="utf-8") as stream:
            stream.writelines(f"{line}\n" for line in lines)

    def read(self) -> Directory:
        return read_directory(self.folder, self.pbx_file)

    def faults(self) -> list[Fault]:
        with pytest.raises(DirectoryError) as caught:
            self.read()
        return list(caught.value.faults)

    def only_fault(self) -> Fault:
        (fault,) = self.faults()
        return fault

    def settings(self, warehouse: Settings) -> Settings:
        return dataclasses.replace(warehouse, include=self.include)
