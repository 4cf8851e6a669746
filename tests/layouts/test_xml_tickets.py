"""Layouts of XML find fields by paths, and take nothing else for them."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from tests.layouts.compiled import FIELDS, layout_with
from tests.layouts.read_fields import Fields, read_fields
from tests.layouts.test_xml_document import Document, Writer, document_of, local_name
from tollhouse.layouts.compiling import compile_tickets
from tollhouse.layouts.rendering import plain_sql

pytestmark = pytest.mark.postgres


def fields_of(
    connection: psycopg.Connection, paths: dict[str, str], bodies: list[str]
) -> list[Fields | str]:
    return read_fields(connection, {"kind": "xml", "fields": paths}, bodies)


def test_a_path_leads_to_the_first_element_or_attribute_that_it_fits(
    connection: psycopg.Connection,
) -> None:
    ticket = """<t:Call id="4 2" t:kind="O">
      <t:Start zone='UTC'>
        <Date>2026-03-02</Date>
      </t:Start>
      <Party/><Party><Number/></Party><Party><Number plan="E164"> 0199001234 </Number></Party>
      <Name>Atelier <b>Exemple</b> &amp; Cie<!-- SARL --></Name>
      <Été-1.2>x</Été-1.2><empty> </empty><Deep><Name>no</Name></Deep>
    </t:Call>"""
    paths = {
        "@id": "4 2",
        "@kind": "O",
        "Start/Date": "2026-03-02",
        "Start/@zone": "UTC",
        "Start": "2026-03-02",
        # Empty as it is, it is the first.
        "Party/Number": None,
        "Party/Number/@plan": "E164",
        "Name": "Atelier Exemple & Cie",
        "Name/b": "Exemple",
        "Été-1.2": "x",
        "empty": None,
        "absent": None,
        "Start/absent": None,
        "Start/Date/@zone": None,
        "@Start": None,
        "Date": None,
        "Call": None,
        "Call/Name": None,
    }
    (fields,) = fields_of(connection, {path: path for path in paths}, [ticket])
    assert fields == paths


def test_a_name_of_a_caller_makes_no_other_field(connection: psycopg.Connection) -> None:
    names = [
        "<![CDATA[</n><d>9</d><n>]]>",
        "&lt;/n>&lt;d>9&lt;/d>&lt;n>",
        "&#60;/n&#62;&#60;d&#62;9&#60;/d&#62;",
        "<!-- <d>9</d> -->",
        '","d":[{"=":"9"}],"x":"',
        "<d>9</d>",
        "\\u003cd>9",
    ]
    bodies = [f"<c><n>{name}</n><d>5</d></c>" for name in names]
    for fields in fields_of(connection, {"duration": "d"}, bodies):
        assert fields == {"duration": "5"}


@pytest.mark.parametrize("name", ["select", "E'", "x--", "jsonb", "Été"])
def test_any_name_of_xml_is_found(connection: psycopg.Connection, name: str) -> None:
    name = name.replace("'", "")
    body = f'<c><{name} a="5">9</{name}></c>'
    assert fields_of(connection, {"it": name, "of it": f"{name}/@a"}, [body]) == [
        {"it": "9", "of it": "5"}
    ]


def test_what_is_no_xml_is_a_fault_of_the_ticket(connection: psycopg.Connection) -> None:
    bodies = ["<c><d>9</d>", "<c><d>&nine;</d></c>", "", "9", "<!DOCTYPE c><c/>"]
    assert fields_of(connection, {"duration": "d"}, bodies) == ["not_xml:layout"] * len(bodies)


def test_random_paths_lead_where_a_parser_finds_them(connection: psycopg.Connection) -> None:
    writer = Writer(20260303)
    names = [local_name(name) for name in Writer.NAMES]
    attributes = ["@a", "@b", "@É"]
    paths = names + attributes
    paths += [f"{name}/{last}" for name in names for last in names[:4] + attributes]
    paths += [f"{name}/{name}/{last}" for name in names for last in ("a", "@a")]
    bodies = [body for _ in range(500) if document_of(body := writer.element(3)) is not None]
    read = fields_of(connection, {path: path for path in paths}, bodies)
    wrong = []
    for body, fields in zip(bodies, read, strict=True):
        document = document_of(body)
        assert document is not None
        expected = {path: value_at(document, path) for path in paths}
        if fields != expected:
            wrong.append((body, fields, expected))
    assert wrong == []
    found = [value for fields in read if isinstance(fields, dict) for value in fields.values()]
    assert len([value for value in found if value is not None]) > 500


def value_at(document: Document, path: str) -> str | None:
    """Return what a path leads to in an element, as the declaration of layouts has it."""
    elements = [document]
    for step in path.split("/"):
        parts = [part for element in elements for part in content_of(element)]
        if step.startswith("@"):
            return (
                next((part[step].strip(" \t\n\r") for part in parts if step in part), None) or None
            )
        elements = [part for part in parts if "<" in part and local_name(part["<"]) == step]
    return text_of(elements[0]).strip(" \t\n\r") or None if elements else None


def content_of(element: Document) -> list[dict[str, Any]]:
    """Return the texts and children of an element."""
    parts: list[dict[str, Any]] = element[local_name(element["<"])]
    return parts


def text_of(element: Document) -> str:
    """Return all text within an element."""
    return "".join(text_of(part) if "<" in part else part["="] for part in content_of(element))


def test_xml_is_read_on_every_processor(connection: psycopg.Connection) -> None:
    layout = layout_with(
        tickets={"kind": "xml", "element": "c", "fields": {name: name for name in FIELDS}}
    )
    with connection.transaction(force_rollback=True):
        connection.execute("set local debug_parallel_query = on")
        plan = connection.execute(f"explain {plain_sql(compile_tickets(layout))}".encode())
        assert "Gather" in str(plan.fetchall())
