"""Layouts and this database: whether their views are what the files say, and what to make anew.

Whoever deploys holds the build lock: ``prepare`` writes the dbt project and says which views have
changed, dbt makes them, and ``record`` keeps what they were made of.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import psycopg
from psycopg import sql

from tollhouse.layouts.dbt_project import write_project
from tollhouse.layouts.declaration import Layout
from tollhouse.layouts.grouping import compiled, layouts_by_model, models_of
from tollhouse.layouts.reading import file_bytes
from tollhouse.layouts.registry import LAYOUT_ID, BrokenLayout, layouts
from tollhouse.layouts.trying import problem_of
from tollhouse.layouts.views import CompiledLayout, LayoutsOfModel, files_of_model
from tollhouse.pbx import models
from tollhouse.settings import Settings
from tollhouse.warehouse import DBT, connect

DEPLOYED_FILES = "select layout_id, file_sha256 from directory.layouts"

DEPLOYED_VIEWS = "select model, sha256 from directory.layout_views"

#: Of pulls that landed before their layout was ever deployed, or whose layout went away since.
WAITING_WITHOUT_VIEW = """
select distinct batches.model
from raw.batches as batches
where
    batches.built_at is null
    and batches.model <> all(%s)
    and not exists (select from directory.layout_views as views where views.model = batches.model)
"""

IN_USE = """
select model from raw.deliveries where model = any(%(models)s)
union
select model from directory.current_pbxs where model = any(%(models)s)
"""

RECORD_LAYOUT = """
insert into directory.layouts (layout_id, model, state, file_sha256, problem)
values (%s, %s, %s, %s, %s)
"""

RECORD_VIEW = """
insert into directory.layout_views (model, sha256)
values (%s, %s)
on conflict (model) do update set sha256 = excluded.sha256, deployed_at = now()
"""

#: In staging, where dbt makes them.
DROP_VIEW = "drop view if exists staging.{view}"


@dataclass(frozen=True)
class DeployedLayout:
    """A layout as this database has it from now on: a row of directory.layouts."""

    layout_id: str
    model_id: str
    state: str
    file_sha256: str
    problem: str | None


@dataclass(frozen=True)
class Deployment:
    """What is to be made anew.

    Attributes:
        layouts: every layout, and how it is.
        views: what the views of each model that is read by layouts are made of, as a digest.
        changed: models whose views have to be made.
        retired: models whose views go: no layout and no ticket is of them any more.
    """

    layouts: tuple[DeployedLayout, ...]
    views: Mapping[str, str]
    changed: tuple[str, ...]
    retired: tuple[str, ...]

    @property
    def selection(self) -> list[str]:
        """The dbt models that have to be run."""
        return [name for model_id in self.changed for name in _views_of(model_id)]


def have_changed(connection: psycopg.Connection, settings: Settings) -> bool:
    """Return whether views are missing, or are not what the files of layouts say."""
    deployed: dict[str, str] = dict(connection.execute(DEPLOYED_FILES).fetchall())
    return deployed != _file_digests(settings) or bool(_waiting_without_view(connection))


def prepare(
    connection: psycopg.Connection, settings: Settings, *, try_all: bool = False
) -> Deployment:
    """Write the dbt project, and say which views have to be made.

    A layout that PostgreSQL refuses is treated as broken: no ticket is read by it.

    Args:
        connection: as the role tollhouse_loader, in autocommit mode.
        settings: The installation.
        try_all: try the layouts whose views have not changed, too.
    """
    # Digests first: a file that is edited meanwhile is another one for the next build.
    files = _file_digests(settings)
    found = layouts(settings.layouts_folder)
    texts = compiled(found)
    deployed: dict[str, str] = dict(connection.execute(DEPLOYED_VIEWS).fetchall())
    missing = _models_missing(connection, found, deployed)

    by_model = layouts_by_model(found, texts, missing=missing)
    changed = _changed(_files_of(settings, by_model), deployed)
    suspects = texts if try_all else _layouts_of(changed, by_model)
    refused = _refused(settings, {name: texts[name] for name in suspects}) if suspects else {}
    if refused:
        by_model = layouts_by_model(found, texts, refused=refused, missing=missing)

    views = _files_of(settings, by_model)
    write_project(settings, views)
    return Deployment(
        layouts=tuple(_states(found, files, refused)),
        views={model_id: _digest(files) for model_id, files in views.items()},
        changed=_changed(views, deployed),
        retired=tuple(sorted(deployed.keys() - views.keys())),
    )


def record(connection: psycopg.Connection, settings: Settings, deployment: Deployment) -> None:
    """Keep what the views were made of, once they are; drop those that are of nothing."""
    if deployment.retired:
        with connect(DBT, settings=settings, autocommit=True) as as_dbt:
            for view in (name for model_id in deployment.retired for name in _views_of(model_id)):
                # A model that has got SQL of its own has a view of that name.
                if view.removeprefix("stg_").removesuffix("__tickets") not in models():
                    as_dbt.execute(sql.SQL(DROP_VIEW).format(view=sql.Identifier(view)))
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute("delete from directory.layouts")
        cursor.executemany(
            RECORD_LAYOUT,
            [
                (each.layout_id, each.model_id, each.state, each.file_sha256, each.problem)
                for each in deployment.layouts
            ],
        )
        cursor.execute(
            "delete from directory.layout_views where model <> all(%s)", [[*deployment.views]]
        )
        cursor.executemany(
            RECORD_VIEW, [(model_id, deployment.views[model_id]) for model_id in deployment.changed]
        )


def _file_digests(settings: Settings) -> dict[str, str]:
    digests = {}
    for path in settings.layouts_folder.glob("*.yml"):
        try:
            digest = hashlib.sha256(file_bytes(path)).hexdigest()
        except OSError as error:
            digest = f"not to be read: {error.strerror}"
        digests[_storable(path.stem)] = digest
    return digests


def _waiting_without_view(connection: psycopg.Connection) -> list[str]:
    with_own_sql = [model.model_id for model in models().values() if not model.read_by_layout]
    rows = connection.execute(WAITING_WITHOUT_VIEW, [with_own_sql]).fetchall()
    return [row[0] for row in rows if LAYOUT_ID.fullmatch(row[0])]


def _models_missing(
    connection: psycopg.Connection,
    found: Mapping[str, Layout | BrokenLayout],
    deployed: Mapping[str, str],
) -> list[str]:
    """Return the models that have tickets or an entry, and neither a layout nor SQL any more."""
    known = {model_id for layout in found.values() for model_id in models_of(layout)} | {*models()}
    others = {*deployed, *_waiting_without_view(connection)} - known
    if not others:
        return []
    return [row[0] for row in connection.execute(IN_USE, {"models": sorted(others)})]


def _files_of(
    settings: Settings, by_model: Mapping[str, LayoutsOfModel]
) -> dict[str, dict[str, str]]:
    intermediate = settings.project / "dbt_project" / "models" / "intermediate"
    contract = intermediate / "_int_tickets__staged.yml"
    return {model_id: files_of_model(group, contract) for model_id, group in by_model.items()}


def _changed(
    views: Mapping[str, Mapping[str, str]], deployed: Mapping[str, str]
) -> tuple[str, ...]:
    return tuple(
        model_id for model_id, files in views.items() if deployed.get(model_id) != _digest(files)
    )


def _digest(files: Mapping[str, str]) -> str:
    text = "\0".join(f"{name}\0{text}" for name, text in sorted(files.items()))
    return hashlib.sha256(text.encode()).hexdigest()


def _layouts_of(model_ids: tuple[str, ...], by_model: Mapping[str, LayoutsOfModel]) -> list[str]:
    return [layout_id for model_id in model_ids for layout_id in by_model[model_id].fields]


def _refused(settings: Settings, texts: Mapping[str, CompiledLayout]) -> dict[str, str]:
    """Return why PostgreSQL refuses some of the layouts."""
    with connect(DBT, settings=settings, autocommit=True) as connection:
        problems = {name: problem_of(connection, text) for name, text in texts.items()}
    return {name: problem for name, problem in problems.items() if problem is not None}


def _states(
    found: Mapping[str, Layout | BrokenLayout],
    files: Mapping[str, str],
    refused: Mapping[str, str],
) -> Iterator[DeployedLayout]:
    for layout_id, layout in found.items():
        if isinstance(layout, BrokenLayout):
            problem: str | None = layout.explanation
        else:
            problem = refused.get(layout_id)
        state = "unconfirmed"
        if problem is not None:
            state = "broken"
        elif isinstance(layout, Layout) and layout.confirmed:
            state = "confirmed"
        name = _storable(layout_id)
        yield DeployedLayout(
            name,
            _storable(layout.model_id or layout_id),
            state,
            files.get(name, ""),
            None if problem is None else _storable(problem),
        )


def _storable(text: str) -> str:
    """Return a text as PostgreSQL keeps it: the name of a file need not be UTF-8."""
    return text.encode("utf-8", "backslashreplace").decode()


def _views_of(model_id: str) -> list[str]:
    return [f"stg_{model_id}__tickets", f"stg_{model_id}__fields"]
