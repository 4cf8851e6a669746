"""docs/configuration.md lists the settings of an entry that staging reads, and for which models."""

from __future__ import annotations

import re

from tests.staging_sql import views_of_layouts, with_staging_macros
from tollhouse.pbx import models
from tollhouse.settings import PROJECT

#: A setting that a staging view asks for, itself or by a macro that is given the column.
SETTING = re.compile(r"\bsettings(?: \}\})?\s*->>\s*'(\w+)'")

#: A row of the table: the setting, then the models that know it.
ROW = re.compile(r"^\| `(\w+)` \| ([a-z0-9_, ]+) \| .+ \| .+ \|$", re.MULTILINE)


def test_the_guide_lists_each_setting_that_staging_reads_with_its_models() -> None:
    read: dict[str, set[str]] = {}
    written = (PROJECT / "dbt_project" / "models" / "staging").glob("*/stg_*.sql")
    views = [(path.parent.name, path.read_text(encoding="utf-8")) for path in written]
    # A declared model has one layout, and no setting.
    views += [(model, sql) for model, _, sql in views_of_layouts() if model in models()]
    for model, sql in views:
        for setting in SETTING.findall(with_staging_macros(sql)):
            read.setdefault(setting, set()).add(model)
    guide = (PROJECT / "docs" / "configuration.md").read_text(encoding="utf-8")
    tickets = guide.split("`settings` that say how tickets are read", 1)[1].split("\n\n", 2)[1]
    listed = {setting: set(models.split(", ")) for setting, models in ROW.findall(tickets)}

    assert "charge_currency" in read
    assert listed == read
