"""docs/configuration.md lists the settings of an entry that staging reads, and for which models."""

from __future__ import annotations

import re

from tests.staging_sql import with_staging_macros
from tollhouse.settings import PROJECT

#: A setting that a staging view asks for, itself or by a macro that is given the column.
SETTING = re.compile(r"\bsettings(?: \}\})?\s*->>\s*'(\w+)'")

#: A row of the table: the setting, then the models that know it.
ROW = re.compile(r"^\| `(\w+)` \| ([a-z0-9_, ]+) \| .+ \| .+ \|$", re.MULTILINE)


def test_the_guide_lists_each_setting_that_staging_reads_with_its_models() -> None:
    read: dict[str, set[str]] = {}
    for view in (PROJECT / "dbt_project" / "models" / "staging").glob("*/stg_*.sql"):
        for setting in SETTING.findall(with_staging_macros(view.read_text(encoding="utf-8"))):
            read.setdefault(setting, set()).add(view.parent.name)
    guide = (PROJECT / "docs" / "configuration.md").read_text(encoding="utf-8")
    tickets = guide.split("`settings` that say how tickets are read", 1)[1].split("\n\n", 2)[1]
    listed = {setting: set(models.split(", ")) for setting, models in ROW.findall(tickets)}

    assert "charge_currency" in read
    assert listed == read
