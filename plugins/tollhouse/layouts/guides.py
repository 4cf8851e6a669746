"""The set-up guide of a layout: what its author wrote, or what follows from the layout itself."""

from __future__ import annotations

from tollhouse.layouts.declaration import Layout

#: What is to be done at the other end, and what an entry must say, by transport.
HOW_THEY_COME = {
    "dropped_files": "Files dropped into the folder that `settings.folder` of the entry names.",
    "remote_files": (
        "Files that are fetched: the connection says from where, `settings.protocol` by what, and "
        "`settings.folder` where they lie."
    ),
    "spooled_stream": (
        "Lines over TCP, which the collector keeps: `settings.direction` says who connects, the "
        "connection to which host and port."
    ),
    "sql_table": (
        "Rows of a table in MySQL or MariaDB, of which the account may read that table and no more."
    ),
    "http_api": "A list of tickets that is asked for over HTTPS, page by page.",
}
CAPTURED = (
    "The layout is not confirmed: every ticket is kept and rejected with the reason "
    "`layout_not_confirmed`. When the layout is filled in, `tollhouse replay` reads what was kept."
)


def guide_of(layout: Layout) -> str:
    """Return the guide, its first line the title."""
    return f"{layout.title}.\n\n{layout.guide.strip() or _generated(layout)}"


def _generated(layout: Layout) -> str:
    ways = "\n".join(f"- `{name}`: {HOW_THEY_COME[name]}" for name in layout.transports)
    paragraphs = [
        f"Declared in `include/layouts/{layout.layout_id}.yml`: tickets of kind "
        f"{layout.tickets.kind}. They can come as:\n\n{ways}",
        "docs/configuration.md lists what the entry of such a pbx says for each of these.",
    ]
    return "\n\n".join(paragraphs if layout.confirmed else [*paragraphs, CAPTURED])
