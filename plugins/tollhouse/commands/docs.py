"""``tollhouse docs``: docs/pbx.md from the models, and the dbt docs site from the warehouse."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from tollhouse.building import dbt_target, deploy
from tollhouse.commands.up import embedded_postgres, start_postgres
from tollhouse.embedded.environment import make_installation
from tollhouse.migrations import migrate
from tollhouse.pbx import Model, models

INTRODUCTION = """\
# Setting up a PBX

One section per model: what to switch on in the PBX, which rights and ports, and the pitfalls. Then
`tollhouse pbx check ID` says whether tickets come, and at which step they stop.

<!-- Written by `make docs` from the docstrings of plugins/tollhouse/pbx/: edit those. -->
"""


def run(*, guide_only: bool = False) -> None:
    """Write docs/pbx.md and generate the dbt docs site.

    Args:
        guide_only: leave the dbt site out, which needs the warehouse.
    """
    installation = make_installation()
    settings = installation.settings
    console = Console()
    path = settings.project / "docs" / "pbx.md"
    write_guide(path)
    console.print(f"wrote {path}", soft_wrap=True)
    if guide_only:
        return
    postgres = embedded_postgres(installation)
    was_running = postgres.is_running()
    start_postgres(installation)
    try:
        migrate(settings)
        deploy(settings)
    finally:
        if not was_running:
            postgres.stop()
    console.print(f"wrote {dbt_target(settings) / 'static_index.html'}", soft_wrap=True)


def write_guide(path: Path) -> None:
    """Write the set-up guide of every model into one page."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(guide_page(), encoding="utf-8")


def guide_page() -> str:
    """Return the page: it follows from the models alone."""
    return INTRODUCTION + "".join(_section(model) for model in models().values())


def _section(model: Model) -> str:
    # The docstring's first line names the model, as every module's does; the heading does too.
    _, _, guide = model.guide.partition("\n")
    body = "\n".join(f"#{line}" if line.startswith("#") else line for line in guide.splitlines())
    facts = (
        f"Model `{model.model_id}`, over {' or '.join(f'`{name}`' for name in model.transports)}."
    )
    return f"\n## {model.title}\n\n{facts}\n\n{body.strip()}\n"
