"""Rows of an Asterisk become the calls that were made: one per linkedid, each trunk second once.

The rows are those that Asterisk 13 to 22 and FreePBX write; a scenario is the rows of one call.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest

from tollhouse.building import build
from tollhouse.settings import Settings
from tollhouse.warehouse import DBT, LOADER, connect

pytestmark = pytest.mark.postgres

PBX_ID = "asterisk_of_the_tests"
#: Its clock is UTC, and its entry says Paris.
UTC_PBX_ID = "asterisk_in_utc"
MODEL = "asterisk_mysql"
BEGINNING = datetime(2026, 3, 2, 9, tzinfo=UTC)
OUTSIDE = "0199001234"
MOBILE = "0639980112"


@dataclass(frozen=True)
class Row:
    """A row of cdr, as far as it matters here.

    Attributes:
        channel, dstchannel: ``T1`` and ``T2`` stand for channels of the trunk, ``201`` for one of
            that phone; anything else is written as it is.
        after: seconds from the beginning of the call to that of the row.
        ring, talk: duration is their sum, billsec is talk.
        answered: the disposition; a text other than ANSWERED may have billsec all the same.
    """

    channel: str
    dstchannel: str
    dst: str
    after: int = 0
    ring: int = 5
    talk: int = 0
    disposition: str = "ANSWERED"
    app: str = "Dial"
    data: str = ""
    src: str = "201"
    more: tuple[tuple[str, Any], ...] = ()

    def body(self, call: int, place: int) -> dict[str, Any]:
        """Return the columns, for the call and the place of the row in it."""
        began_at = BEGINNING + timedelta(minutes=10 * call)
        linked_id = f"{int(began_at.timestamp())}.{call * 100}"
        # The channel that the call began with made the linkedid.
        is_first = self.channel in ("201", "T1") and self.after == 0
        return {
            "calldate": f"{began_at + timedelta(hours=1, seconds=self.after):%F %T}",
            "clid": f'"" <{self.src}>',
            "src": self.src,
            "dst": self.dst,
            "dcontext": "from-internal",
            "channel": channel_name(self.channel, call),
            "dstchannel": channel_name(self.dstchannel, call),
            "lastapp": self.app,
            "lastdata": self.data,
            "duration": self.ring + self.talk,
            "billsec": self.talk,
            "disposition": self.disposition,
            "amaflags": 3,
            "uniqueid": linked_id if is_first else f"{linked_id}{place}",
            "linkedid": linked_id,
            "sequence": call * 10 + place,
            **dict(self.more),
        }


def channel_name(channel: str, call: int) -> str:
    if channel in ("T1", "T2"):
        return f"PJSIP/carrier-{call:06x}{channel[1:]:0>2}"
    if channel.isdigit():
        return f"PJSIP/{channel}-{call:05x}{int(channel):x}"
    return channel


@dataclass(frozen=True)
class Scenario:
    """The rows of a call and what they come to.

    Attributes:
        legs: one a row: ``direction extension>called talk``, `` billed`` where it is billable and
            `` phantom`` where it is one; ``ignored`` and ``duplicate`` for what is no leg.
        call: talk seconds of the call and of what is billable in it.
    """

    name: str
    rows: tuple[Row, ...]
    legs: tuple[str, ...]
    call: tuple[int, int]


SCENARIOS = (
    Scenario(
        "a plain call out",
        (Row("201", "T1", OUTSIDE, talk=60),),
        (f"outgoing 201>{OUTSIDE} 60 billed",),
        (60, 60),
    ),
    Scenario(
        "the outside party of a call out is handed on, and then once more",
        (
            Row("201", "T1", OUTSIDE, talk=30),
            Row("T1", "202", "202", after=35, ring=0, talk=40, src=OUTSIDE),
            Row("T1", "203", "203", after=75, ring=0, talk=20, src=OUTSIDE),
        ),
        (
            f"outgoing 201>{OUTSIDE} 30 billed",
            f"outgoing 202>{OUTSIDE} 40 billed",
            f"outgoing 203>{OUTSIDE} 20 billed",
        ),
        (90, 90),
    ),
    Scenario(
        "the same by an attended transfer, which leaves the trunk as party A",
        (
            Row("201", "T1", OUTSIDE, talk=60),
            Row("201", "202", "202", after=35, ring=5, talk=20),
            Row("T1", "202", "202", after=65, ring=0, talk=40, src=OUTSIDE, app="AppDial",
                data="(Outgoing Line)"),
        ),
        (f"outgoing 201>{OUTSIDE} 60 billed", "internal 201>202 20",
         f"outgoing 202>{OUTSIDE} 40 billed"),
        (120, 100),
    ),
    Scenario(
        "a call out is parked and fetched by another phone",
        (
            Row("201", "T1", OUTSIDE, talk=30),
            Row("T1", "", "70", after=35, ring=0, talk=15, src=OUTSIDE, app="Park"),
            Row("203", "T1", "71", after=50, ring=0, talk=25, src="203", app="ParkedCall"),
        ),
        (
            f"outgoing 201>{OUTSIDE} 30 billed",
            f"outgoing >{OUTSIDE} 15 billed",
            f"outgoing 203>{OUTSIDE} 25 billed",
        ),
        (70, 70),
    ),
    Scenario(
        "an incoming call is forwarded to a mobile by a local channel: 202 pays",
        (
            Row("T1", f"Local/{MOBILE}@from-internal-0000000a;1", "202", ring=12, talk=48,
                src=OUTSIDE),
            Row(f"Local/{MOBILE}@from-internal-0000000a;2", "T2", MOBILE, ring=12, talk=48,
                src=OUTSIDE),
        ),
        ("incoming >202 48", f"outgoing 202>{MOBILE} 48 billed"),
        (96, 48),
    ),
    Scenario(
        "a member of a ring group is forwarded: a row between two local channels says who",
        (
            Row("T1", "Local/202@grps-0000000b;1", "600", ring=12, talk=48, src=OUTSIDE),
            Row("Local/202@grps-0000000b;2", f"Local/{MOBILE}@from-internal-0000000c;1", "202",
                ring=12, talk=48, src=OUTSIDE),
            Row(f"Local/{MOBILE}@from-internal-0000000c;2", "T2", MOBILE, ring=12, talk=48,
                src=OUTSIDE),
        ),
        ("incoming 202>600 48", "ignored", f"outgoing 202>{MOBILE} 48 billed"),
        (96, 48),
    ),
    Scenario(
        "an internal call is forwarded to a mobile",
        (
            Row("201", f"Local/{MOBILE}@from-internal-0000000d;1", "202", ring=12, talk=48),
            Row(f"Local/{MOBILE}@from-internal-0000000d;2", "T2", MOBILE, ring=12, talk=48),
        ),
        ("internal 201>202 0 phantom", f"outgoing 202>{MOBILE} 48 billed"),
        (48, 48),
    ),
    Scenario(
        "nobody answered at 202, and the dial plan sends the caller's own channel out",
        (
            Row("T1", "202", "202", ring=20, disposition="NO ANSWER", src=OUTSIDE),
            Row("T1", "T2", MOBILE, after=20, ring=10, talk=50, src=OUTSIDE),
        ),
        ("incoming 202>202 0", f"transit 202>{MOBILE} 50 billed"),
        (50, 50),
    ),
    Scenario(
        "202 answered and transfers the caller to the outside",
        (
            Row("T1", "202", "202", talk=20, src=OUTSIDE),
            Row("T1", "T2", MOBILE, after=25, ring=0, talk=50, src=OUTSIDE),
        ),
        ("incoming 202>202 20", f"transit 202>{MOBILE} 50 billed"),
        (70, 50),
    ),
    Scenario(
        "a queue with local channels: the member's half repeats the talk",
        (
            Row("T1", "Local/201@from-queue-0000000e;1", "650", ring=15, talk=0, src=OUTSIDE,
                app="Queue", data="650,t", disposition="NO ANSWER", more=(("billsec", 15),)),
            Row("T1", "Local/202@from-queue-0000000f;1", "650", ring=0, talk=75, src=OUTSIDE,
                app="Queue", data="650,t"),
            Row("Local/202@from-queue-0000000f;2", "202", "202", after=17, ring=3, talk=55,
                src=OUTSIDE),
        ),
        ("incoming 201>650 0 phantom", "incoming 202>650 75", "internal >202 0 phantom"),
        (75, 0),
    ),
    Scenario(
        "a queue that nobody answers",
        (
            Row("T1", "", "650", ring=0, talk=40, src=OUTSIDE, app="Queue", data="650,t"),
            Row("T1", "", "650", after=40, ring=0, talk=0, src=OUTSIDE, app="Hangup"),
        ),
        ("incoming >650 0", "incoming >650 0"),
        (0, 0),
    ),
    Scenario(
        "click to call: the phone is rung by a local channel, which then dials out",
        (
            Row("Local/201@from-internal-00000010;2", "201", "201", talk=70, src=""),
            Row("Local/201@from-internal-00000010;1", "T1", OUTSIDE, after=5, ring=9, talk=56,
                src=""),
        ),
        ("internal >201 0 phantom", f"outgoing 201>{OUTSIDE} 56 billed"),
        (56, 56),
    ),
    Scenario(
        "both trunks fail, the dial plan says so and gives a congestion tone",
        (
            Row("201", "T1", OUTSIDE, ring=1, disposition="CONGESTION"),
            Row("201", "T2", OUTSIDE, after=1, ring=2, disposition="FAILED"),
            Row("201", "", OUTSIDE, after=3, ring=0, talk=6, app="Playback"),
            Row("201", "", "s-CONGESTION", after=9, ring=20, app="Congestion",
                disposition="FAILED"),
        ),
        (
            f"outgoing 201>{OUTSIDE} 0 billed",
            f"outgoing 201>{OUTSIDE} 0 billed",
            f"internal 201>{OUTSIDE} 0 phantom",
            "internal 201>s-CONGESTION 0 phantom",
        ),
        (0, 0),
    ),
    Scenario(
        "the trunk could not be dialled at all",
        (Row("201", "", OUTSIDE, ring=0, talk=3, data=f"PJSIP/{OUTSIDE}@carrier,300,T"),),
        (f"outgoing 201>{OUTSIDE} 0 billed",),
        (0, 0),
    ),
    Scenario(
        "a conference tells the talk of the same trunk in a row for each pair",
        (
            Row("201", "T1", OUTSIDE, talk=120),
            Row("202", "T1", "800", after=35, ring=0, talk=90, src="202", app="ConfBridge"),
            Row("T1", "203", "800", after=65, ring=0, talk=100, src=OUTSIDE, app="ConfBridge"),
        ),
        (
            f"outgoing 201>{OUTSIDE} 120 billed",
            f"outgoing 202>{OUTSIDE} 0 phantom",
            f"outgoing 203>{OUTSIDE} 40 billed",
        ),
        (160, 160),
    ),
    Scenario(
        "a call file calls the outside and plays a message",
        (Row("T1", "", "s", ring=4, talk=33, src="", app="AppDial2", data="(Outgoing Line)",
             more=(("dst", OUTSIDE),)),),
        (f"outgoing >{OUTSIDE} 33 billed",),
        (33, 33),
    ),
    Scenario(
        "voicemail answers an incoming call",
        (
            Row("T1", "202", "202", ring=20, disposition="NO ANSWER", src=OUTSIDE),
            Row("T1", "", "202", after=20, ring=0, talk=25, src=OUTSIDE, app="VoiceMail"),
        ),
        ("incoming 202>202 0 phantom", "incoming >202 25"),
        (25, 0),
    ),
    Scenario(
        "forwarded to a mobile, and the local channel steps out of the way: dst is still 202",
        (
            Row("T1", f"Local/{MOBILE}@from-internal-00000011;1", "202", ring=10, talk=1,
                src=OUTSIDE),
            Row(f"Local/{MOBILE}@from-internal-00000011;2", "T2", MOBILE, ring=10, talk=1,
                src=OUTSIDE),
            Row("T1", "T2", "202", after=11, ring=0, talk=59, src=OUTSIDE),
        ),
        (
            "incoming >202 1",
            f"outgoing 202>{MOBILE} 1 billed",
            f"transit 202>{MOBILE} 59 billed",
        ),
        (61, 60),
    ),
    Scenario(
        "201 hands its caller by SIP to a mobile that it dialled in the next call",
        (
            Row("T1", "201", "201", talk=30, src=OUTSIDE),
            Row("T1", "PJSIP/carrier-00000f15", "201", after=625, ring=0, talk=90, src=OUTSIDE),
        ),
        ("incoming 201>201 30", f"transit 201>{MOBILE} 90 billed"),
        (120, 90),
    ),
    Scenario(
        "the consultation, which keeps a linkedid of its own",
        (Row("201", "PJSIP/carrier-00000f15", MOBILE, talk=20),),
        (f"outgoing 201>{MOBILE} 20 billed",),
        (20, 20),
    ),
    Scenario(
        "two parties that 201 dialled talk to each other: both trunks cost",
        (
            Row("201", "T1", OUTSIDE, talk=30),
            Row("201", "T2", MOBILE, after=35, ring=5, talk=20),
            Row("T1", "T2", MOBILE, after=60, ring=0, talk=90, src=OUTSIDE, app="AppDial",
                data="(Outgoing Line)"),
        ),
        (
            f"outgoing 201>{OUTSIDE} 120 billed",
            f"outgoing 201>{MOBILE} 20 billed",
            f"outgoing 201>{MOBILE} 90 billed",
        ),
        (230, 230),
    ),
    Scenario(
        "a party that was dialled is handed to a group, then to voicemail: its trunk is up",
        (
            Row("201", "T1", OUTSIDE, talk=30),
            Row("T1", "202", "600", after=35, ring=0, talk=20, disposition="NO ANSWER",
                src=OUTSIDE),
            Row("T1", "203", "600", after=35, ring=0, talk=20, disposition="NO ANSWER",
                src=OUTSIDE),
            Row("T1", "", "202", after=55, ring=0, talk=25, src=OUTSIDE, app="VoiceMail"),
        ),
        (
            f"outgoing 201>{OUTSIDE} 30 billed",
            f"outgoing 202>{OUTSIDE} 20 billed",
            f"outgoing 203>{OUTSIDE} 0 phantom",
            f"outgoing >{OUTSIDE} 25 billed",
        ),
        (75, 75),
    ),
    Scenario(
        "a caller in a conference was not dialled by those who meet him",
        (
            Row("T1", "", "800", ring=0, talk=20, src=OUTSIDE, app="ConfBridge"),
            Row("202", "T1", "800", after=20, ring=0, talk=60, src="202", app="ConfBridge"),
        ),
        ("incoming >800 20", "internal 202>800 60"),
        (80, 0),
    ),
    Scenario(
        "follow-me and ring groups of FreePBX put letters around an extension",
        (
            Row("T1", "Local/FMPR-201@from-internal-00000012;1", "600", ring=9,
                disposition="NO ANSWER", src=OUTSIDE),
            Row("T1", f"Local/RG-600-{MOBILE}@from-internal-00000013;1", "600", ring=9,
                disposition="NO ANSWER", src=OUTSIDE),
        ),
        ("incoming 201>600 0", "incoming >600 0"),
        (0, 0),
    ),
    Scenario(
        "the dial plan keeps the number in the arguments of Dial",
        (
            Row("201", "T1", "s", talk=20, data="PJSIP/carrier/sip:+33639980112@192.0.2.9,300,T"),
            Row("201", "T2", "s", after=30, talk=10, data=f"SIP/carrier/{OUTSIDE}|300|tT"),
        ),
        ("outgoing 201>+33639980112 20 billed", f"outgoing 201>{OUTSIDE} 10 billed"),
        (30, 30),
    ),
    Scenario(
        "a stranger who tries numbers, and a text message",
        (
            Row("PJSIP/anonymous-00000014", "", "00972599001122", talk=12, app="Congestion",
                src="1001", more=(("dcontext", "from-sip-external"),)),
            Row("Message/ast_msg_queue", "", "202", ring=0, app="MessageSend"),
        ),
        ("incoming >00972599001122 12", "ignored"),
        (12, 0),
    ),
    Scenario(
        "two sections of cdr_adaptive_odbc.conf write each row twice",
        (
            Row("201", "T1", OUTSIDE, talk=60, more=(("sequence", 7), ("uniqueid", "a.1"))),
            Row("201", "T1", OUTSIDE, talk=60, more=(("sequence", 7), ("uniqueid", "a.1"))),
        ),
        (f"outgoing 201>{OUTSIDE} 60 billed", "duplicate"),
        (60, 60),
    ),
)  # fmt: skip

#: The first row is built before the second lands.
LATE = Scenario(
    "the rows of a transfer come in two pulls",
    (
        Row("201", "T1", OUTSIDE, talk=30),
        Row("T1", "202", "202", after=35, ring=0, talk=40, src=OUTSIDE),
    ),
    (f"outgoing 201>{OUTSIDE} 30 billed", f"outgoing 202>{OUTSIDE} 40 billed"),
    (70, 70),
)

#: Voicemail, an hour after the channel was made.
QUEUE_AFTER = Row("T1", "", "202", after=3600, ring=0, talk=30, src=OUTSIDE, app="VoiceMail")


def test_rows_become_the_calls_that_were_made_and_each_trunk_second_counts_once(
    warehouse: Settings,
) -> None:
    early, late = bodies(LATE, len(SCENARIOS))
    others = [body for call, made in enumerate(SCENARIOS) for body in bodies(made, call)]
    # A row that is an hour off its call id where the others are not: a queue had given up.
    after_an_hour = QUEUE_AFTER.body(len(SCENARIOS) + 1, 1)
    in_utc = [by_utc(body) for body in [*others[:7], after_an_hour]]
    with connect(LOADER, settings=warehouse, autocommit=True) as loader:
        install(loader, PBX_ID)
        install(loader, UTC_PBX_ID)
        land(loader, [early])
        build(warehouse)
        land(loader, [*others, late, after_an_hour])
        land(loader, in_utc, UTC_PBX_ID)
        build(warehouse)

    assert legs(warehouse) == [
        LATE.legs[0],
        *(leg for scenario in SCENARIOS for leg in scenario.legs),
        LATE.legs[1],
        "incoming >202 30",
    ]
    assert calls(warehouse) == [LATE.call, *(scenario.call for scenario in SCENARIOS), (30, 0)]
    # The second scenario: who pays is the pbx's policy, so each leg says who had the call.
    assert query(
        warehouse,
        "select extension, transferred_from, transferred_to from intermediate.int_tickets__staged "
        "where ordinal between 3 and 5 order by ordinal",
    ) == [("201", None, "203"), ("202", "201", None), ("203", "201", None)]
    # Read in Paris or in UTC, every row began when its body says, in Paris.
    starts = query(
        warehouse,
        "select started_at from intermediate.int_tickets__staged where state = 'ticket' "
        f"and pbx_id = '{UTC_PBX_ID}' order by ordinal",
    )
    assert [start for (start,) in starts] == [
        datetime.fromisoformat(body["calldate"]).replace(tzinfo=ZoneInfo("Europe/Paris"))
        for body in [*others[:7], after_an_hour]
    ]


def by_utc(body: dict[str, Any]) -> dict[str, Any]:
    """Return the row as an Asterisk whose clock is UTC writes it."""
    began_at = datetime.fromisoformat(body["calldate"]) - timedelta(hours=1)
    return {**body, "calldate": f"{began_at:%F %T}"}


def bodies(scenario: Scenario, call: int) -> list[dict[str, Any]]:
    return [row.body(call, place) for place, row in enumerate(scenario.rows, start=1)]


def install(connection: psycopg.Connection, pbx_id: str) -> None:
    connection.execute(
        "insert into directory.pbxs (pbx_id, model, transport, time_zone, country, trunks) "
        "values (%s, %s, 'sql_table', 'Europe/Paris', 'FR', array['PJSIP/carrier'])",
        [pbx_id, MODEL],
    )
    connection.execute(
        "insert into raw.deliveries (pbx_id, model, unit) values (%s, %s, 'cdr')", [pbx_id, MODEL]
    )


def land(
    connection: psycopg.Connection, records: list[dict[str, Any]], pbx_id: str = PBX_ID
) -> None:
    """Put rows into the table's only delivery as one batch, their id as ordinal."""
    count = f"{len(records)}"
    connection.execute(
        "insert into raw.batches (pbx_id, model, rows_read, rows_inserted) values (%s, %s, %s, %s)",
        [pbx_id, MODEL, count, count],
    )
    for record in records:
        connection.execute(
            "insert into raw.tickets (model, delivery_id, ordinal, batch_id, received_at, body) "
            "select %s, (select delivery_id from raw.deliveries where pbx_id = %s), next.id, "
            "(select max(batch_id) from raw.batches), now(), "
            "(%s::jsonb || jsonb_build_object('id', next.id))::text "
            "from (select coalesce(max(ordinal), 0) + 1 as id from raw.tickets) as next",
            [MODEL, pbx_id, json.dumps(record)],
        )


def legs(settings: Settings) -> list[str]:
    """Return what became of each row, in order."""
    found = query(
        settings,
        "select case when staged.state <> 'ticket' then staged.state else concat_ws(' ', "
        "legs.direction, coalesce(legs.extension, '') || '>' || legs.called_number, "
        "legs.talk_seconds, case when legs.is_billable then 'billed' end, "
        "case when legs.rating_state = 'phantom' then 'phantom' end) end "
        "from intermediate.int_tickets__staged as staged "
        "left join marts.fct_call_legs as legs using (ticket_id) "
        f"where staged.pbx_id = '{PBX_ID}' order by staged.ordinal",
    )
    return [str(leg) for (leg,) in found]


def calls(settings: Settings) -> list[tuple[Any, ...]]:
    """Return (talk seconds, billable seconds) of each call, phantoms apart."""
    return query(
        settings,
        "select talk_seconds::int, billable_talk_seconds::int from marts.fct_calls "
        f"where pbx_id = '{PBX_ID}' order by call_id",
    )


def query(settings: Settings, text: str) -> list[tuple[Any, ...]]:
    with connect(DBT, settings=settings) as connection:
        return connection.execute(text.encode()).fetchall()
