"""Cisco Unified Communications Manager: set-up guide."""

from tollhouse.pbx import FileDefaults, Framing, Model

MODEL = Model(
    model_id="cisco_cucm",
    title="Cisco Unified Communications Manager",
    transports=("dropped_files",),
    framing=Framing(kind="header_lines", header_line_count=2, maximum_bytes=262_144),
    encoding="utf-8",
    files=FileDefaults(
        pattern="c[dm]r_*", ignored_pattern="_*", name_time_pattern=r"_(\d{12})_\d+$"
    ),
)
