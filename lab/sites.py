"""The sites of the demo: who sits there, and which PBX writes their tickets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from lab import (
    aastra_a400,
    aastra_a5000,
    alcatel_oxe,
    alcatel_oxe_ahl,
    alcatel_oxe_files,
    alcatel_oxo,
    asterisk,
    asterisk_csv,
    avaya_ipoffice,
    captures,
    carrier_csv,
    cisco_cucm,
    exemple_cloud_pbx,
    exemple_hotel_pms,
    exemple_trunk_xml,
    fonisk,
    grandstream_api,
    grandstream_ucm,
    md_evolution,
    mitel_3300,
    panasonic_kx,
    shoretel,
    siemens_hipath,
    telnowedge,
    threecx,
    unify_openscape,
    wazo,
)
from lab.api_servers import ApiSimulator
from lab.file_drops import FileSimulator
from lab.streams import StreamSimulator
from lab.tables import PbxTables
from lab.traffic import Call, Site
from lab.truth import TicketTruth

TicketsOf = Callable[[Call, Site, int], list[TicketTruth]]


@dataclass(frozen=True)
class SimulatedPbx:
    """A site and the way its PBX writes tickets.

    Attributes:
        stream: how it says them, when it speaks over TCP.
        tables: where it writes them, when it keeps them in a database.
        api: what hands them out, when it is asked over HTTPS.
        files: how it puts them into files, when it does.
    """

    site: Site
    tickets_of: TicketsOf
    stream: StreamSimulator | None = None
    tables: PbxTables | None = None
    api: ApiSimulator | None = None
    files: FileSimulator | None = None


def _in_files(site: Site, tickets_of: TicketsOf, files: FileSimulator) -> SimulatedPbx:
    return SimulatedPbx(site, tickets_of, files=files)


def _in_sql(site: Site, tickets_of: TicketsOf, tables: PbxTables) -> SimulatedPbx:
    return SimulatedPbx(site, tickets_of, tables=tables)


def _on_tcp(site: Site, simulator: StreamSimulator) -> SimulatedPbx:
    return SimulatedPbx(site, simulator.tickets_of, simulator)


SITES = (
    _on_tcp(
        Site(
            pbx_id="paris_hq",
            first_extension=4200,
            last_extension=4299,
            public_base="0199001200",
            calls_per_working_day=100,
            account_codes=("240117",),
        ),
        mitel_3300.SIMULATOR,
    ),
    _in_sql(
        Site(
            pbx_id="lyon_support",
            first_extension=6000,
            last_extension=6079,
            public_base="0465710000",
            calls_per_working_day=110,
            account_codes=("550042",),
        ),
        asterisk.tickets_of,
        asterisk.TABLES,
    ),
    _in_files(
        Site(
            pbx_id="lille_plant",
            first_extension=3100,
            last_extension=3199,
            public_base="0353012100",
            calls_per_working_day=80,
        ),
        cisco_cucm.tickets_of,
        cisco_cucm.FILES,
    ),
    _on_tcp(
        Site(
            pbx_id="nice_hotel",
            first_extension=300,
            last_extension=359,
            public_base="0465711300",
            calls_per_working_day=40,
        ),
        avaya_ipoffice.SIMULATOR,
    ),
    _on_tcp(
        Site(
            pbx_id="reims_cellar",
            first_extension=700,
            last_extension=729,
            public_base="0353016700",
            calls_per_working_day=20,
        ),
        unify_openscape.SIMULATOR,
    ),
    _on_tcp(
        Site(
            pbx_id="rouen_clinic",
            first_extension=200,
            last_extension=279,
            public_base="0261912200",
            calls_per_working_day=35,
        ),
        panasonic_kx.SIMULATOR,
    ),
    _on_tcp(
        Site(
            pbx_id="nancy_labs",
            first_extension=5500,
            last_extension=5549,
            public_base="0353018500",
            calls_per_working_day=30,
        ),
        shoretel.SIMULATOR,
    ),
    # Three whose layouts are not public: a few lines a day show that they are kept.
    _on_tcp(
        Site(
            pbx_id="nantes_depot",
            first_extension=4000,
            last_extension=4019,
            public_base="0261916000",
            calls_per_working_day=2,
        ),
        aastra_a5000.SIMULATOR,
    ),
    _on_tcp(
        Site(
            pbx_id="pau_mill",
            first_extension=2000,
            last_extension=2019,
            public_base="0536491000",
            calls_per_working_day=2,
        ),
        md_evolution.SIMULATOR,
    ),
    _on_tcp(
        Site(
            pbx_id="cannes_palace",
            first_extension=800,
            last_extension=839,
            public_base="0465712800",
            calls_per_working_day=2,
        ),
        alcatel_oxe_ahl.SIMULATOR,
    ),
    _on_tcp(
        Site(
            pbx_id="brest_port",
            first_extension=5100,
            last_extension=5149,
            public_base="0261913100",
            calls_per_working_day=30,
        ),
        alcatel_oxe.SIMULATOR,
    ),
    _on_tcp(
        Site(
            pbx_id="metz_office",
            first_extension=200,
            last_extension=229,
            public_base="0353013200",
            calls_per_working_day=25,
        ),
        aastra_a400.SIMULATOR,
    ),
    _on_tcp(
        Site(
            pbx_id="tours_shop",
            first_extension=4100,
            last_extension=4129,
            public_base="0261915100",
            calls_per_working_day=25,
        ),
        grandstream_ucm.SIMULATOR,
    ),
    _on_tcp(
        Site(
            pbx_id="dijon_bank",
            first_extension=2100,
            last_extension=2149,
            public_base="0353014100",
            calls_per_working_day=35,
        ),
        siemens_hipath.SIMULATOR,
    ),
    _in_sql(
        Site(
            pbx_id="lens_clinic",
            first_extension=400,
            last_extension=449,
            public_base="0353019400",
            calls_per_working_day=25,
        ),
        fonisk.fonisk_tickets_of,
        fonisk.FONISK,
    ),
    _in_sql(
        Site(
            pbx_id="vichy_spa",
            first_extension=500,
            last_extension=529,
            public_base="0465714500",
            calls_per_working_day=20,
        ),
        fonisk.itneo_tickets_of,
        fonisk.ITNEO,
    ),
    _in_sql(
        Site(
            pbx_id="albi_works",
            first_extension=2300,
            last_extension=2349,
            public_base="0536492300",
            calls_per_working_day=25,
        ),
        telnowedge.tickets_of,
        telnowedge.TABLES,
    ),
    SimulatedPbx(
        Site(
            pbx_id="arles_museum",
            first_extension=1000,
            last_extension=1049,
            public_base="0465713000",
            calls_per_working_day=25,
        ),
        wazo.tickets_of,
        api=ApiSimulator("lab.wazo_server", "TOLLHOUSE_LAB_WAZO_PORT"),
    ),
    SimulatedPbx(
        Site(
            pbx_id="sete_harbour",
            first_extension=600,
            last_extension=629,
            public_base="0465716600",
            calls_per_working_day=20,
        ),
        grandstream_api.tickets_of,
        api=ApiSimulator("lab.grandstream_api", "TOLLHOUSE_LAB_UCM_PORT"),
    ),
    _in_files(
        Site(
            pbx_id="rennes_lab",
            first_extension=120,
            last_extension=149,
            public_base="0261917120",
            calls_per_working_day=20,
            account_codes=("7001",),
        ),
        threecx.tickets_of,
        threecx.FILES,
    ),
    _in_files(
        Site(
            pbx_id="toulon_yard",
            first_extension=1200,
            last_extension=1229,
            public_base="0465718200",
            calls_per_working_day=20,
        ),
        shoretel.tickets_of,
        shoretel.FILES,
    ),
    _in_files(
        Site(
            pbx_id="quimper_office",
            first_extension=160,
            last_extension=179,
            public_base="0261919160",
            calls_per_working_day=2,
        ),
        alcatel_oxo.tickets_of,
        alcatel_oxo.FILES,
    ),
    _in_files(
        Site(
            pbx_id="agen_office",
            first_extension=6200,
            last_extension=6229,
            public_base="0536496200",
            calls_per_working_day=20,
        ),
        asterisk_csv.tickets_of,
        asterisk_csv.FILES,
    ),
    _in_files(
        Site(
            pbx_id="caen_factory",
            first_extension=5200,
            last_extension=5239,
            public_base="0261918200",
            calls_per_working_day=20,
        ),
        alcatel_oxe.tickets_of,
        alcatel_oxe_files.FILES,
    ),
    _in_files(
        Site(
            pbx_id="mulhouse_depot",
            first_extension=730,
            last_extension=759,
            public_base="0353011730",
            calls_per_working_day=20,
        ),
        unify_openscape.tickets_of,
        unify_openscape.FILES,
    ),
    _in_files(
        Site(
            pbx_id="nimes_arena",
            first_extension=4020,
            last_extension=4039,
            public_base="0465717020",
            calls_per_working_day=2,
        ),
        captures.tickets_of,
        aastra_a5000.FILES,
    ),
    # Four that are read by a layout of include/layouts/, without a line of code: a carrier, and
    # three that no company makes.
    _in_files(
        Site(
            pbx_id="carrier_modele",
            first_extension=1000,
            last_extension=1099,
            public_base="0536493000",
            calls_per_working_day=40,
            account_codes=("C-7710",),
        ),
        carrier_csv.tickets_of,
        carrier_csv.FILES,
    ),
    _on_tcp(
        Site(
            pbx_id="biarritz_palace",
            first_extension=301,
            last_extension=340,
            public_base="0536494301",
            calls_per_working_day=25,
        ),
        exemple_hotel_pms.SIMULATOR,
    ),
    _in_files(
        Site(
            pbx_id="trunk_exemple",
            first_extension=2000,
            last_extension=2059,
            public_base="0536495000",
            calls_per_working_day=30,
        ),
        exemple_trunk_xml.tickets_of,
        exemple_trunk_xml.FILES,
    ),
    SimulatedPbx(
        Site(
            pbx_id="annecy_cloud",
            first_extension=6100,
            last_extension=6129,
            public_base="0465719100",
            calls_per_working_day=25,
        ),
        exemple_cloud_pbx.tickets_of,
        api=ApiSimulator(
            "lab.list_api",
            "TOLLHOUSE_LAB_LIST_PORT",
            ("--layout=include/layouts/exemple_cloud_pbx.yml",),
        ),
    ),
)


def simulated_pbxs(calls_per_working_day: float | None = None) -> tuple[SimulatedPbx, ...]:
    """Return the sites, all with the same volume when one is given."""
    if calls_per_working_day is None:
        return SITES
    return tuple(
        replace(pbx, site=replace(pbx.site, calls_per_working_day=calls_per_working_day))
        for pbx in SITES
    )
