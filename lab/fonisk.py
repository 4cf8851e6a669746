"""Simulated Fonisk and ITNeo: an Asterisk whose rows name a user, a group and a subsidiary by id.

What is known of the real tables is a query that joins them; the other columns of ``cdr`` are
Asterisk's. ITNeo is the same without subsidiaries. So that a join which fails shows, the telephone
of a user bears another name in the channels than the extension's number: only the user's row tells
it. Some telephones have no user, and one in two of these still the id of one who is gone; some
rows have no group or no subsidiary, or one that is gone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from lab import asterisk
from lab.tables import PbxTables, Row
from lab.traffic import Call, Site
from lab.truth import TicketTruth

DEFINITIONS = {
    "cdr": """
create table if not exists cdr (
    id_cdr int unsigned not null auto_increment primary key,
    calldate datetime not null, clid varchar(80), src varchar(80), dst varchar(80),
    dcontext varchar(80), channel varchar(80), dstchannel varchar(80), lastapp varchar(80),
    lastdata varchar(80), duration int, billsec int, disposition varchar(45), amaflags int,
    accountcode varchar(20), uniqueid varchar(32), userfield varchar(255),
    id_user int, id_user_group int, id_subsidiary int
)
""",
    "user": """
create table if not exists `user` (
    id_user int primary key, firstname varchar(80), lastname varchar(80), number varchar(20)
)
""",
    "user_group": """
create table if not exists user_group (id_user_group int primary key, name varchar(80))
""",
    "subsidiary": """
create table if not exists subsidiary (id_subsidiary int primary key, name varchar(80))
""",
}

#: Columns of Asterisk that these products have too, as far as is known.
ASTERISK_COLUMNS = (
    "calldate", "clid", "src", "dst", "dcontext", "channel", "dstchannel", "lastapp", "lastdata",
    "duration", "billsec", "disposition", "amaflags", "accountcode", "uniqueid",
)  # fmt: skip

FIRST_NAMES = ("Anne", "Jean-Loïc", "Zoé", "Éloïse", "Ménélas", "Ophélie", "Tancrède")
LAST_NAMES = ("Exemple", "D'Essai", "Modèle", "Gabarit-Témoin", "Specimen")
GROUPS = ("Accueil", "Atelier", "Ventes & devis", "Secrétariat")
SUBSIDIARIES = ("Siège", "Dépôt Nord")

#: Every so many telephones one has no user, every so many users one no group or no subsidiary.
WITHOUT_USER = 9
WITHOUT_GROUP = 11
WITHOUT_SUBSIDIARY = 13
#: Added to the number of what is gone: no row has such an id.
GONE = 90_000


def fonisk_tickets_of(call: Call, site: Site, number: int) -> list[TicketTruth]:
    """Return the rows that a Fonisk writes for a call, with their truth, in order."""
    return [_with_ids(ticket, site) for ticket in asterisk.tickets_of(call, site, number)]


def itneo_tickets_of(call: Call, site: Site, number: int) -> list[TicketTruth]:
    """Return the rows that an ITNeo writes for a call, with their truth, in order."""
    return [
        replace(ticket, ticket=json.dumps(_without_subsidiary(json.loads(ticket.ticket))))
        for ticket in fonisk_tickets_of(call, site, number)
    ]


def fonisk_people_of(site: Site) -> dict[str, list[Row]]:
    """Return the rows of the tables beside ``cdr``: who telephones at a site."""
    places = range(site.last_extension - site.first_extension + 1)
    return {
        "user": [
            {
                "id_user": _user_id(place),
                "firstname": name_of(place)[0],
                "lastname": name_of(place)[1],
                "number": str(site.first_extension + place),
            }
            for place in places
            if _has_user(place)
        ],
        "user_group": _named("id_user_group", GROUPS),
        "subsidiary": _named("id_subsidiary", SUBSIDIARIES),
    }


def name_of(place: int) -> tuple[str, str]:
    """Return first and last name of whoever has the extension at a place, counted from 0."""
    return FIRST_NAMES[place % len(FIRST_NAMES)], LAST_NAMES[place % len(LAST_NAMES)]


def itneo_people_of(site: Site) -> dict[str, list[Row]]:
    """Return the rows of the tables beside ``cdr``, of which an ITNeo has two."""
    people = fonisk_people_of(site)
    return {table: people[table] for table in ("user", "user_group")}


FONISK = PbxTables(
    database="fonisk",
    definitions=DEFINITIONS,
    columns=(*ASTERISK_COLUMNS, "id_user", "id_user_group", "id_subsidiary"),
    readable=tuple(DEFINITIONS),
    people_of=fonisk_people_of,
)

ITNEO = PbxTables(
    database="itneo",
    definitions={
        "cdr": DEFINITIONS["cdr"].replace(", id_subsidiary int", ""),
        "user": DEFINITIONS["user"],
        "user_group": DEFINITIONS["user_group"],
    },
    columns=(*ASTERISK_COLUMNS, "id_user", "id_user_group"),
    readable=("cdr", "user", "user_group"),
    people_of=itneo_people_of,
)


def _with_ids(ticket: TicketTruth, site: Site) -> TicketTruth:
    """Make a Fonisk's row of an Asterisk's: whom it belongs to, and telephones by their names."""
    row = json.loads(ticket.ticket)
    kept = {column: row.get(column, "") for column in ASTERISK_COLUMNS}
    for column in ("channel", "dstchannel"):
        kept[column] = _renamed(kept[column], site)
    return replace(ticket, ticket=json.dumps(kept | _ids_of(ticket.extension, site)))


def _without_subsidiary(row: dict[str, Any]) -> dict[str, Any]:
    return {column: value for column, value in row.items() if column != "id_subsidiary"}


def _ids_of(extension: str, site: Site) -> dict[str, int | None]:
    """Return whom the row of an extension belongs to."""
    place = int(extension) - site.first_extension
    if not _has_user(place):
        gone = place // WITHOUT_USER % 2 == 1
        return {
            "id_user": GONE + place if gone else None,
            "id_user_group": None,
            "id_subsidiary": None,
        }
    return {
        "id_user": _user_id(place),
        "id_user_group": _id_or_none(place, GROUPS, WITHOUT_GROUP),
        "id_subsidiary": _id_or_none(place, SUBSIDIARIES, WITHOUT_SUBSIDIARY),
    }


def _id_or_none(place: int, names: Sequence[str], without: int) -> int | None:
    if place % without == without - 1:
        return GONE + place if place // without % 2 == 1 else None
    return place % len(names) + 1


def _renamed(channel: str, site: Site) -> str:
    """Return a channel in which the telephone of a user bears a name of its own."""
    technology, _, rest = channel.partition("/")
    peer, dash, instance = rest.partition("-")
    if technology != "PJSIP" or not peer.isdecimal():
        return channel
    is_users = _has_user(int(peer) - site.first_extension)
    return f"{technology}/{'desk' if is_users else ''}{peer}{dash}{instance}"


def _has_user(place: int) -> bool:
    return place % WITHOUT_USER != WITHOUT_USER - 1


def _user_id(place: int) -> int:
    return 1001 + place


def _named(key: str, names: Sequence[str]) -> list[Mapping[str, Any]]:
    return [{key: number, "name": name} for number, name in enumerate(names, start=1)]
