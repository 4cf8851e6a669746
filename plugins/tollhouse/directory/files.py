"""The files of the directory: what identifies a row of each, and what a row refers to."""

from __future__ import annotations

from dataclasses import dataclass

from tollhouse.directory import rows


@dataclass(frozen=True)
class DirectoryFile:
    """One CSV file and the table that it fills.

    Attributes:
        name: the table's name and the file's without its suffix.
        row: the class of its rows; the columns are its fields.
        key: the columns that identify a row; in a dated file, at any one day.
        references: for each other file that a row refers to, the columns that do: they are that
            file's key.
    """

    name: str
    row: type[rows.Row]
    key: tuple[str, ...]
    references: tuple[tuple[str, tuple[str, ...]], ...] = ()

    @property
    def file_name(self) -> str:
        """Name of the file."""
        return f"{self.name}.csv"

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it may have; the period of a dated row stands last."""
        return tuple(
            sorted(self.row.model_fields, key=lambda name: name in rows.DatedRow.model_fields)
        )

    @property
    def required_columns(self) -> tuple[str, ...]:
        """The columns that it must have: those without a default."""
        return tuple(name for name in self.columns if self.row.model_fields[name].is_required())

    @property
    def is_dated(self) -> bool:
        """Whether its rows hold from a day to a day."""
        return issubclass(self.row, rows.DatedRow)


SERVICE = ("services", ("service_id",))

#: In the order in which they refer to each other.
FILES = (
    DirectoryFile("issuers", rows.Issuer, ("issuer_id",)),
    DirectoryFile("customers", rows.Customer, ("customer_id",), (("issuers", ("issuer_id",)),)),
    DirectoryFile(
        "services",
        rows.Service,
        ("service_id",),
        (("issuers", ("issuer_id",)), ("customers", ("customer_id",))),
    ),
    DirectoryFile("destinations", rows.Destination, ("destination_id",)),
    DirectoryFile("tariffs", rows.Tariff, ("tariff_id",)),
    DirectoryFile(
        "tariff_versions",
        rows.TariffVersion,
        ("tariff_id", "version"),
        (("tariffs", ("tariff_id",)),),
    ),
    DirectoryFile(
        "rates",
        rows.Rate,
        ("tariff_id", "version", "namespace", "prefix"),
        (("tariff_versions", ("tariff_id", "version")), ("destinations", ("destination_id",))),
    ),
    DirectoryFile("extensions", rows.Extension, ("pbx_id", "extension"), (SERVICE,)),
    DirectoryFile(
        "number_ranges", rows.NumberRange, ("pbx_id", "first_number", "last_number"), (SERVICE,)
    ),
    DirectoryFile("account_codes", rows.AccountCode, ("pbx_id", "account_code"), (SERVICE,)),
    DirectoryFile("trunks", rows.Trunk, ("pbx_id", "trunk"), (SERVICE,)),
    DirectoryFile(
        "tariff_assignments",
        rows.TariffAssignment,
        ("side", "owner_kind", "owner_id"),
        (("tariffs", ("tariff_id",)),),
    ),
)
