"""A replay from the trial to the build: try, show, ask, keep.

The build lock is held while batches are tried or built, and not while somebody thinks. What was
built, loaded, issued or deployed meanwhile may make another difference: it is tried again then, and
shown again when it is another one.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import psycopg

from tollhouse.building import BuildResult, build_lock, build_what_waits, deploy_layouts
from tollhouse.replaying.choice import Choice, ReplayError, choose_batches
from tollhouse.replaying.difference import Difference, read_difference
from tollhouse.replaying.trial import Trial, forget_trial, try_replay
from tollhouse.settings import Settings
from tollhouse.warehouse import BUILD_LOCKS, DBT, LOADER, WAREHOUSE, connect, lock_number

#: What the difference of a replay depends on, besides raw itself, which never changes.
STATE_OF_WAREHOUSE = """
select
    (select max(build_id) from raw.builds),
    (select max(load_id) from directory.loads),
    (select max(invoice_id) from billing.invoices),
    (select md5(string_agg(definition, '' order by viewname)) from pg_views
        where schemaname = 'staging'),
    exists (select from raw.replays where replay_id = %s)
"""

KEEP = """
update raw.replays set kept_at = now(), summary = %s where replay_id = %s
"""

OPEN_BATCHES = "update raw.batches set built_at = null where batch_id = any(%s)"


class Audience(Protocol):
    """Whoever looks at a replay."""

    def waits_for_build(self) -> None:
        """Hear that a build is under way, which is waited for."""

    def reads(self, choice: Choice) -> None:
        """Hear that batches are read again now, which takes a while."""

    def sees(self, trial: Trial, difference: Difference) -> None:
        """See a difference; nothing has changed yet."""

    def builds(self) -> None:
        """Hear that what was agreed to is built now."""

    def agrees(self) -> bool:
        """Say whether what was seen last is to be kept."""


@dataclass(frozen=True)
class Outcome:
    """How a replay ended.

    Attributes:
        build: the build that wrote what was kept; None when nothing was.
    """

    trial: Trial
    difference: Difference
    build: BuildResult | None

    @property
    def leaves_difference(self) -> bool:
        """Whether the warehouse still says something else than raw would."""
        return self.difference.changes_something and self.build is None


def replay(
    settings: Settings,
    audience: Audience,
    pbx_id: str,
    *,
    since: str,
    until: str | None = None,
    example_count: int = 10,
) -> Outcome:
    """Read batches again, show what comes out differently, and keep it if that is agreed to.

    Raises:
        ReplayError: no such PBX or period, or a layout that does not hold.
        BuildError: the staged contract, or what builds on it, fails; what was to be kept is built
            by the next build.
    """
    with connect(DBT, settings=settings, autocommit=True) as reader:
        choice = choose_batches(reader, pbx_id, since=since, until=until)
    seen: _Seen | None = None
    is_agreed = False
    while True:
        with _alone(settings, audience) as connection:
            deploy_layouts(connection, settings, output=io.StringIO())
            # A layout that was edited while batches were tried is deployed, and tried, too.
            while seen is None or _state(settings, seen.trial.replay_id) != seen.state:
                audience.reads(choice)
                trial = try_replay(connection, settings, choice)
                difference = read_difference(settings, trial, example_count=example_count)
                if difference.layout_faults:
                    forget_trial(connection, trial.replay_id)
                    raise ReplayError(_unreadable(choice, difference))
                if seen is None or seen.difference != difference:
                    audience.sees(trial, difference)
                    is_agreed = False
                seen = _Seen(trial, difference, _state(settings, trial.replay_id))
                deploy_layouts(connection, settings, output=io.StringIO())
            if is_agreed:
                audience.builds()
                built = _keep(connection, settings, seen)
                return Outcome(seen.trial, seen.difference, built)
        if not seen.difference.changes_something or not audience.agrees():
            with connect(LOADER, settings=settings, autocommit=True) as connection:
                forget_trial(connection, seen.trial.replay_id)
            return Outcome(seen.trial, seen.difference, None)
        is_agreed = True


@dataclass(frozen=True)
class _Seen:
    trial: Trial
    difference: Difference
    state: tuple[Any, ...]


def _unreadable(choice: Choice, difference: Difference) -> str:
    faults = ", ".join(sorted(difference.layout_faults))
    return (
        f"The layout of {choice.pbx_id} does not hold ({faults}): every ticket would be rejected. "
        "`tollhouse layout list` names the fault. Nothing was changed."
    )


@contextmanager
def _alone(settings: Settings, audience: Audience) -> Iterator[psycopg.Connection]:
    """Hold the build lock; a build under way is waited for, which is said."""
    keys = [BUILD_LOCKS, lock_number(WAREHOUSE)]
    with connect(LOADER, settings=settings, autocommit=True) as connection:
        row = connection.execute("select pg_try_advisory_lock(%s, %s)", keys).fetchone()
        if row is not None and row[0]:
            connection.execute("select pg_advisory_unlock(%s, %s)", keys)
        else:
            audience.waits_for_build()
        with build_lock(connection, settings):
            yield connection


def _state(settings: Settings, replay_id: int) -> tuple[Any, ...]:
    with connect(DBT, settings=settings) as connection:
        row = connection.execute(STATE_OF_WAREHOUSE, [replay_id]).fetchone()
    assert row is not None
    return row


def _keep(connection: psycopg.Connection, settings: Settings, seen: _Seen) -> BuildResult:
    summary = json.dumps(seen.difference.as_dictionary(), default=str)
    with connection.transaction():
        connection.execute(KEEP, [summary, seen.trial.replay_id])
        connection.execute(OPEN_BATCHES, [list(seen.trial.choice.batch_ids)])
    return build_what_waits(connection, settings)
