"""The installed PBXs: ``include/pbx.yml``, checked, with the defaults of each model filled in."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import available_timezones

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    field_validator,
    model_validator,
)

from tollhouse.layouts.registry import (
    LAYOUT_ID,
    BrokenLayout,
    find_layout,
    find_model,
    gone_layout,
    known_models,
    layout_read_by,
    layouts,
)
from tollhouse.pbx import Model, models


class PbxFileError(Exception):
    """include/pbx.yml does not hold; the message lists every fault with its entry and key."""


class BrokenLayoutError(Exception):
    """The layout of a PBX does not hold: nothing of it is read; the message lists the faults."""


DAY_NAMES = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MINUTES_PER_DAY = 24 * 60


class BusyHours(BaseModel):
    """When a PBX's people telephone, by its own clock: only then is silence worth an alarm.

    Attributes:
        days: days of the week, Monday is 0; written as ``mon-fri`` or ``mon,wed,sat``.
        from_minute: minute of the day at which the hours begin; written as ``from: "08:00"``.
        to_minute: ... and end; ``24:00`` is midnight.
        on_holidays: whether public holidays of the country are busy days too, as in a hospital.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    days: frozenset[int] = frozenset(range(5))
    from_minute: int = Field(default=8 * 60, alias="from")
    to_minute: int = Field(default=18 * 60, alias="to")
    on_holidays: bool = False

    @field_validator("days", mode="before")
    @classmethod
    def _days_by_name(cls, value: Any) -> frozenset[int]:
        days: set[int] = set()
        for part in str(value).replace(" ", "").split(","):
            first, _, last = part.partition("-")
            if first not in DAY_NAMES or (last or first) not in DAY_NAMES:
                raise ValueError("days are written as mon-fri or mon,wed,sat")
            start, end = DAY_NAMES.index(first), DAY_NAMES.index(last or first)
            # A range may go past Sunday, as sat-mon.
            days |= {day % 7 for day in range(start, end + 1 + 7 * (end < start))}
        return frozenset(days)

    @field_validator("from_minute", "to_minute", mode="before")
    @classmethod
    def _minute_of_day(cls, value: Any) -> int:
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MINUTES_PER_DAY:
            return value  # what YAML makes of 18:00 without quotes
        match = re.fullmatch(r"(\d{1,2}):([0-5]\d)", str(value))
        minute = int(match[1]) * 60 + int(match[2]) if match else MINUTES_PER_DAY + 1
        if minute > MINUTES_PER_DAY:
            raise ValueError('a time of day is written as "08:00", the end of a day as "24:00"')
        return minute

    @model_validator(mode="after")
    def _from_before_to(self) -> BusyHours:
        if self.from_minute >= self.to_minute:
            raise ValueError("the hours end before they begin; at night write 00:00 to 24:00")
        return self


class Pbx(BaseModel):
    """One installed PBX: an entry of include/pbx.yml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{1,39}$")]
    model: str
    transport: str = ""
    connection: str = ""
    time_zone: str
    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
    schedule: str = "0 * * * *"
    outside_line_prefix: Annotated[str, Field(pattern=r"^[0-9*#]{0,4}$")] = ""
    outside_line_policy: Literal["never", "always", "auto"] = "auto"
    trunks: tuple[str, ...] = ()
    number_ranges: tuple[
        Annotated[str, Field(pattern=r"^\+[0-9]{4,18}(-\+[0-9]{4,18})?$")], ...
    ] = ()
    extension_digits: tuple[int, int] = (2, 6)
    carrier: str = ""
    default_service: str = ""
    transfer_payer: Literal["initiator", "last_party", "by_segment"] = "initiator"
    answer_threshold_seconds: Annotated[int, Field(ge=0, le=3600)] | None = None
    #: So many busy hours without a ticket are an alarm.
    silent_after_hours: Annotated[int, Field(ge=1)] = 8
    busy_hours: BusyHours = Field(default_factory=BusyHours)
    #: What the collector spooled is kept so long after it is landed: a backfill reads it again.
    spool_keep_days: Annotated[int, Field(ge=1)] = 45
    #: What the transport needs beyond the connection: folder, pattern, table, query, archive,
    #: overlap_ids ...
    settings: dict[str, Any] = Field(default_factory=dict)

    #: The model as the layouts had it when the entry was read.
    _model: Model = PrivateAttr()
    _broken_layout: BrokenLayout | None = PrivateAttr(default=None)

    @field_validator("model")
    @classmethod
    def _known_model(cls, value: str) -> str:
        if find_model(value) is None:
            layout = find_layout(value)
            if layout is not None and layout.model_id is not None:
                raise ValueError(
                    f"it is a layout of {layout.model_id}: write `model: {layout.model_id}` and "
                    f"`settings: {{layout: {value}}}`"
                )
            raise ValueError(f"unknown model; known are {', '.join(known_models())}")
        return value

    @field_validator("time_zone")
    @classmethod
    def _known_time_zone(cls, value: str) -> str:
        if value not in available_timezones():
            raise ValueError("unknown time zone; write it as in Europe/Paris")
        return value

    @model_validator(mode="before")
    @classmethod
    def _fill_defaults(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            raise ValueError("an entry is a mapping of keys to values")
        filled = dict(values)
        filled.setdefault("connection", f"pbx_{values.get('id', '')}")
        model = find_model(str(values.get("model")))
        if model is not None:
            filled.setdefault("transport", model.default_transport)
        return filled

    @model_validator(mode="after")
    def _possible_transport(self) -> Pbx:
        model = find_model(self.model)
        if model is None:
            raise ValueError(f"the layout {self.model} went away while it was read")
        if self.transport not in model.transports:
            possible = ", ".join(model.transports)
            raise ValueError(f"transport {self.transport!r} is not one of {possible}")
        self._model = model.of_entry(self.settings)
        return self

    @model_validator(mode="after")
    def _layout_that_reads_it(self) -> Pbx:
        layout_id = layout_read_by(self.model, self.settings)
        if "layout" in self.settings and not self._model.read_by_layout:
            raise ValueError(f"settings.layout: no layout is chosen for the model {self.model}")
        if layout_id is None:
            return self
        layout = find_layout(layout_id)
        is_needed = "layout" in self.settings or self.model not in models()
        if layout is None and is_needed and LAYOUT_ID.fullmatch(layout_id):
            layout = gone_layout(layout_id)
        if isinstance(layout, BrokenLayout):
            self._broken_layout = layout
        elif "layout" in self.settings and (layout is None or layout.model_id != self.model):
            fitting = [name for name, each in layouts().items() if each.model_id == self.model]
            raise ValueError(
                f"settings.layout is {layout_id!r}: expected a layout that says `model: "
                f"{self.model}`; these do: {', '.join(fitting) or 'none'}"
            )
        return self

    @property
    def known_model(self) -> Model:
        """The model this PBX is one of, as its settings have it."""
        return self._model

    @property
    def broken_layout(self) -> BrokenLayout | None:
        """The layout that reads its tickets, where that does not hold: nothing may be landed."""
        return self._broken_layout

    def require_layout(self) -> None:
        """Stop here when its layout does not hold.

        Raises:
            BrokenLayoutError: that is so; the message lists file, line, key and fault.
        """
        if self._broken_layout is not None:
            raise BrokenLayoutError(
                f"{self.id}: nothing is read, because its layout does not hold.\n"
                f"{self._broken_layout.explanation}\n"
                f"Correct the file; `tollhouse layout check` says when it holds."
            )

    @property
    def dag_id(self) -> str:
        """Id of its extract DAG."""
        return f"extract__{self.id}"

    @property
    def idlast_variable(self) -> str:
        """Name of the Airflow Variable that holds its watermark."""
        return f"idlast__{self.id}"


def load_pbxs(path: Path) -> list[Pbx]:
    """Read and check the list of installed PBXs.

    Returns:
        The entries in order of id.

    Raises:
        PbxFileError: the file is missing, is no YAML, or entries do not hold; every fault is
        listed.
    """
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise PbxFileError(f"{path} does not exist: it lists the installed PBXs.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise PbxFileError(f"{path} is not YAML in UTF-8: {error}") from error
    entries = document.get("pbxs") if isinstance(document, dict) else None
    if isinstance(document, dict) and "pbxs" in document and entries is None:
        entries = []  # the key with nothing below it: all entries were taken out
    if not isinstance(entries, list):
        raise PbxFileError(f"{path}: expected a list under the key 'pbxs'.")
    pbxs: dict[str, Pbx] = {}
    faults: list[str] = []
    for position, entry in enumerate(entries, start=1):
        name = entry.get("id", "without id") if isinstance(entry, dict) else "not a mapping"
        try:
            pbx = Pbx.model_validate(entry)
        except ValidationError as error:
            faults += [
                f"entry {position} ({name}), {'.'.join(map(str, fault['loc'])) or 'entry'}: "
                f"{fault['msg']} (found {fault.get('input')!r})"
                for fault in error.errors()
            ]
            continue
        if pbx.id in pbxs:
            faults.append(f"entry {position} ({name}), id: the same id stands above")
        pbxs[pbx.id] = pbx
    if faults:
        raise PbxFileError(f"{path} does not hold:\n  " + "\n  ".join(faults))
    return [pbxs[pbx_id] for pbx_id in sorted(pbxs)]
