"""What a call would cost, and why (rule R21): asked of the same SQL that rates real calls.

The hypothetical call is put into an empty table whose view dbt builds from the rating macros; the
transaction is rolled back, so nothing is left.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
from psycopg.rows import dict_row

from tollhouse.settings import Settings
from tollhouse.warehouse import DBT, connect

FIND_PLACE = """
select
    pbxs.pbx_id as known_pbx_id,
    services.service_id as known_service_id,
    tariffs.tariff_id as known_tariff_id,
    coalesce(pbxs.time_zone, issuers.billing_time_zone, tariffs.time_zone) as time_zone,
    coalesce(pbxs.country, tariffs.country, issuers.country) as country
from (select) as once
left join directory.current_pbxs as pbxs on pbxs.pbx_id = %(pbx_id)s
left join directory.services as services on services.service_id = %(service_id)s
left join directory.issuers as issuers on issuers.issuer_id = services.issuer_id
left join directory.tariffs as tariffs on tariffs.tariff_id = %(tariff_id)s
"""

ASK = """
insert into intermediate.int_legs__hypothetical (
    ticket_id, call_id, state, pbx_id, model, batch_id, direction, outcome, is_phantom,
    caller_number, called_number, extension, account_code, started_at, answered_at, ended_at,
    ring_seconds, talk_seconds, is_estimated, asked_service_id, asked_tariff_id, asked_country
) values (
    0, 0, 'ticket', coalesce(%(pbx_id)s::text, ''), 'hypothetical', 0, 'outgoing', 'answered',
    false,
    %(extension)s, %(number)s, %(extension)s, %(account_code)s, %(at)s, %(at)s,
    %(at)s + make_interval(secs => %(seconds)s), 0, %(seconds)s, false,
    %(service_id)s, %(tariff_id)s, %(country)s
)
"""

ANSWER = """
select
    legs.rating_state,
    legs.rating_reason,
    legs.called_number,
    legs.called_e164,
    legs.called_namespace,
    legs.called_country,
    legs.destination_id,
    legs.destination_name,
    legs.destination_class,
    legs.service_id,
    legs.attribution_rule,
    legs.rated_at,
    legs.billing_month,
    legs.talk_seconds,
    legs.billed_seconds,
    legs.tariff_id,
    tariffs.tariff_name,
    versions.version as tariff_version,
    nullif(versions.valid_from, '-infinity') as version_valid_from,
    nullif(versions.valid_to, 'infinity') as version_valid_to,
    legs.tariff_version_id,
    legs.rate_id,
    legs.matched_prefix,
    legs.connection_fee,
    legs.first_increment_seconds,
    legs.next_increment_seconds,
    legs.price_per_minute,
    rates.minimum_charge,
    rates.maximum_charge,
    tariffs.rounding,
    tariffs.rounding_decimals,
    legs.sale_amount,
    legs.sale_currency,
    cost_versions.tariff_id as cost_tariff_id,
    cost_versions.version as cost_tariff_version,
    legs.cost_tariff_version_id,
    legs.cost_rate_id,
    cost_rates.prefix as cost_matched_prefix,
    cost_rates.connection_fee as cost_connection_fee,
    cost_rates.first_increment_seconds as cost_first_increment_seconds,
    cost_rates.next_increment_seconds as cost_next_increment_seconds,
    cost_rates.price_per_minute as cost_price_per_minute,
    legs.cost_billed_seconds,
    legs.cost_amount,
    legs.cost_currency,
    legs.margin_amount
from intermediate.int_legs__hypothetical_rated as legs
left join directory.tariffs as tariffs on tariffs.tariff_id = legs.tariff_id
left join directory.tariff_versions as versions
    on versions.tariff_version_id = legs.tariff_version_id
left join directory.rates as rates on rates.rate_id = legs.rate_id
left join directory.tariff_versions as cost_versions
    on cost_versions.tariff_version_id = legs.cost_tariff_version_id
left join directory.rates as cost_rates on cost_rates.rate_id = legs.cost_rate_id
"""


class RateQuestionError(Exception):
    """The question names something the directory does not know; the message says what."""


@dataclass(frozen=True)
class RateQuestion:
    """A call that nobody made.

    Args:
        number: As it would be dialled.
        seconds: Conversation time.
        at: When it would be answered; without a zone, local time of the pbx, else of the issuer
            or tariff.
        pbx_id: Where it would be dialled: its prefixes, its owners, its cost.
        service_id: Who would pay; found by attribution (R18) when absent.
        tariff_id: Which tariff would hold; the service's when absent.
        extension: From which extension.
        account_code: With which account code.
    """

    number: str
    seconds: int
    at: datetime
    pbx_id: str | None = None
    service_id: str | None = None
    tariff_id: str | None = None
    extension: str | None = None
    account_code: str | None = None


def explain_rate(settings: Settings, question: RateQuestion) -> dict[str, Any]:
    """Rate a hypothetical call and return what was decided at each step, by column name.

    Raises:
        RateQuestionError: nothing says where the call is made, or a named thing does not exist.
    """
    if not (question.pbx_id or question.service_id or question.tariff_id):
        raise RateQuestionError(
            "Say where the call is made or who pays: --pbx, --service, --tariff."
        )
    asked = {
        "number": question.number,
        "seconds": question.seconds,
        "pbx_id": question.pbx_id,
        "service_id": question.service_id,
        "tariff_id": question.tariff_id,
        "extension": question.extension,
        "account_code": question.account_code,
    }
    with connect(DBT, settings=settings) as connection:
        place = _find_place(connection, asked)
        at = question.at
        if at.tzinfo is None:
            at = at.replace(tzinfo=ZoneInfo(place["time_zone"]))
        cursor = connection.cursor(row_factory=dict_row)
        connection.execute(ASK, {**asked, "at": at, "country": place["country"]})
        answer = cursor.execute(ANSWER).fetchone()
        connection.rollback()
    assert answer is not None
    return answer


def _find_place(connection: psycopg.Connection, asked: dict[str, Any]) -> dict[str, Any]:
    place = connection.cursor(row_factory=dict_row).execute(FIND_PLACE, asked).fetchone()
    assert place is not None
    for kind in ("pbx", "service", "tariff"):
        name = asked[f"{kind}_id"]
        if name and not place[f"known_{kind}_id"]:
            raise RateQuestionError(f"The directory knows no {kind} {name!r}.")
    return place
