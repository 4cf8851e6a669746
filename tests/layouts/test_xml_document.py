"""XML that SQL reads is what an XML parser reads, or nothing: no ticket passes for another one."""

from __future__ import annotations

import random
import re
from typing import Any
from xml.parsers import expat

import psycopg
import pytest

pytestmark = pytest.mark.postgres

READ = """
select raw.xml_document(bodies.body)
from unnest(%s::text[]) with ordinality as bodies (body, place)
order by bodies.place
"""

Document = dict[str, Any]


def documents_of(connection: psycopg.Connection, bodies: list[str]) -> list[Document | None]:
    return [row[0] for row in connection.execute(READ, [bodies])]


def without_empty_texts(document: Document | None) -> Document | None:
    """Return a document without the texts between elements that hold only comments."""
    if document is None:
        return None
    (name,) = document.keys() - {"<", ">"}
    first, *others = document[name]
    kept = [without_empty_texts(part) if "<" in part else part for part in others]
    return document | {name: [first, *(part for part in kept if part != {"=": ""})]}


class RefusedError(Exception):
    """XML that Tollhouse does not read."""


def document_of(body: str) -> Document | None:
    """Return what Python's parser reads, in the form of the function; None of what is no XML."""
    tops: list[Document] = []
    open_elements: list[list[Document]] = []

    def start(name: str, attributes: list[str]) -> None:
        first: Document = {"=": ""}
        for attribute, value in zip(attributes[::2], attributes[1::2], strict=True):
            local = local_name(attribute)
            first.setdefault("@" + (attribute if attribute.startswith("xmlns:") else local), value)
        element: Document = {"<": name, local_name(name): [first], ">": name}
        (open_elements[-1] if open_elements else tops).append(element)
        open_elements.append(element[local_name(name)])

    def text(data: str) -> None:
        last = open_elements[-1][-1]
        if "=" in last:
            last["="] += data
        else:
            open_elements[-1].append({"=": data})

    def refuse(*_: Any) -> None:
        raise RefusedError

    parser = expat.ParserCreate("utf-8")
    parser.ordered_attributes = True
    parser.StartElementHandler = start
    parser.EndElementHandler = lambda _: open_elements.pop()
    parser.CharacterDataHandler = text
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(body.encode(), True)
    except (expat.ExpatError, RefusedError):
        return None
    return tops[0]


def local_name(name: str) -> str:
    """Return a name without its prefix."""
    prefix, colon, local = name.rpartition(":")
    if (colon and not prefix) or ":" in prefix or not re.match(r"[^\W\d]", local):
        raise RefusedError
    return local


class Writer:
    """Writes random XML, in every way in which XML can be written."""

    NAMES = ("Call", "Start", "a", "n:Start", "m:Start", "_x", "Dur-1.2", "Été", "呼")
    TEXTS = ("5", " ", "\n  ", "\r\n", "]]", ">", "é€😀", "a b", '"', "'", "\\x00", "=", "/>", "@a")
    REFERENCES = (
        "&lt;",
        "&gt;",
        "&amp;",
        "&quot;",
        "&apos;",
        "&#65;",
        "&#x1F600;",
        "&#0010;",
        "&amp;lt;",
    )
    SECTIONS = (
        "<!-- <Dur>9</Dur> -->",
        "<!---->",
        "<?page <Dur>9</Dur> ?>",
        "<?p?>",
        "<![CDATA[<Dur>9</Dur>]]>",
        "<![CDATA[]]>",
        "<![CDATA[ ]] ]> &lt; </Call> <!-- ]]>",
        "<![CDATA[]]]]>",
    )

    def __init__(self, seed: int) -> None:
        self._source = random.Random(seed)

    def blanks(self, least: int = 0) -> str:
        return "".join(self._source.choices(" \t\n", k=self._source.choice((least, least, 1, 2))))

    def text(self) -> str:
        kinds = (self.TEXTS, self.TEXTS, self.REFERENCES, self.SECTIONS)
        return "".join(
            self._source.choice(self._source.choice(kinds))
            for _ in range(self._source.randrange(4))
        )

    def attribute(self, name: str) -> str:
        mark = self._source.choice("\"'")
        value = "".join(
            self._source.choice(self._source.choice((self.TEXTS, self.REFERENCES)))
            for _ in range(self._source.randrange(3))
        )
        value = value.replace(mark, "")
        return f"{self.blanks(1) or ' '}{name}{self.blanks()}={self.blanks()}{mark}{value}{mark}"

    def element(self, depth: int) -> str:
        name = self._source.choice(self.NAMES)
        names = ("a", "n:a", "m:b", "b", "xmlns", "xmlns:a", "É", "c.d-e")
        chosen = self._source.sample(names, self._source.choice((0, 0, 0, 1, 2, 4)))
        attributes = "".join(map(self.attribute, chosen))
        tag = f"<{name}{attributes}{self.blanks()}"
        if self._source.random() < 0.2:
            return f"{tag}/>"
        content = self.text()
        for _ in range(self._source.randrange(4) if depth else 0):
            content += self.element(depth - 1) + self.text()
        return f"{tag}>{content}</{name}{self.blanks()}>"

    def damaged(self, body: str) -> str:
        """Return XML in which something was left out, doubled, or put somewhere else."""
        start, end = sorted(self._source.choices(range(len(body) + 1), k=2))
        end = min(end, start + 9)
        place = self._source.randrange(len(body) + 1)
        piece = body[start:end]
        put = self._source.choice(
            ("", piece, "<", ">", "&", '"', "]]>", "<a>", "</a>", "\x01", "<a", "-->")
        )
        if self._source.random() < 0.5:
            return body[:start] + put + body[end:]
        return body[:place] + put + body[place:]


def test_random_xml_is_read_as_a_parser_reads_it_and_damaged_xml_as_nothing_else(
    connection: psycopg.Connection,
) -> None:
    writer = Writer(20260302)
    bodies = [writer.element(3) for _ in range(400)]
    bodies += [writer.damaged(body) for body in bodies for _ in range(3)]
    expected = [document_of(body) for body in bodies]
    read = [without_empty_texts(document) for document in documents_of(connection, bodies)]
    assert len([document for document in expected if document is not None]) > len(bodies) / 4
    assert len([document for document in expected if document is None]) > len(bodies) / 4
    wrong = [case for case in zip(bodies, expected, read, strict=True) if case[1] != case[2]]
    assert wrong == []


#: What tries to be read as <c><d>9</d></c>, or to stop the build of every PBX.
HOSTILE = [
    # A caller's name that ends its own element.
    "<c><n></n><d>9</d><n></n></c></c>",
    "<c><n><![CDATA[x]]></n><d>9</d><n>]]></n></c>",
    "<c><n><![CDATA[x]]]]><![CDATA[></n><d>9</d><n>]]></n></d></c>",
    "<c><n><!-- --></n><d>9</d> --></n></c>",
    "<c><n><!-- -- ></n> --><d>9</d></c>",
    "<c><n><?x ></n><d>9</d></n></c>",
    "<c><d>9</d><?x??></c>",
    "<c><d>9</d></e>",
    "<c><d>9</c></d>",
    "<c><d>9</d></c><c/>",
    "<c/><c><d>9</d></c>",
    "<c><d>9</d></c>text",
    "text<c><d>9</d></c>",
    " <c><d>9</d></c>",
    "c><d>9</d></c>",
    "</c><d>9</d></c>",
    "<![CDATA[]]><c><d>9</d></c>",
    "<c><d>9</d></c><![CDATA[]]>",
    "<c><d>9</d>",
    "<c><d 9</d></c>",
    "<c><d>9</d><</c>",
    "<c><d>9</d>]]></c>",
    "<c><d>9</d><![CDATA[</c>",
    "<c><d>9</d><![cdata[]]></c>",
    "<c><d>9</d><!-- </c>",
    "<c><d>9</d>< n/></c>",
    "<c><d>9</d><1/></c>",
    "<c><d>9</d></ c></c>",
    "<c d=9/>",
    "<c d='9' d='8'/>",
    "<c d='9'e='8'/>",
    "<c d='9",
    "<c d='9'><x y='</x>'/></c>",
    "<c d='<![CDATA[9]]>'/>",
    "<c <!-- --> d='9'/>",
    "<c d='9<!-- -->'/>",
    "<c><d>&nine;</d></c>",
    "<c><d>&l<!-- -->t;</d></c>",
    "<c><d>9&</d></c>",
    "<c><d>9&amp</d></c>",
    "<c><d>9&#0;</d></c>",
    "<c><d>9&#8;</d></c>",
    "<c><d>9&#55296;</d></c>",
    "<c><d>9&#xDFFF;</d></c>",
    "<c><d>9&#xFFFE;</d></c>",
    "<c><d>9&#x110000;</d></c>",
    "<c><d>9&#9999999;</d></c>",
    "<c><d>9&#99999999999999999999;</d></c>",
    "<c><d>9&#xFFFFFFFFFF;</d></c>",
    "<c><d>9&#;</d></c>",
    "<c><d>9&#x;</d></c>",
    "<c><d>9\x01</d></c>",
    "<c><d>9\x02</d></c>",
    "<c><d>9\uffff</d></c>",
    '<!DOCTYPE c [<!ENTITY a "9">]><c><d>&a;</d></c>',
    '<!DOCTYPE c [<!ENTITY a "&b;&b;"><!ENTITY b "&c;&c;">]><c><d>&a;</d></c>',
    '<!DOCTYPE c SYSTEM "file:///etc/hostname"><c><d>9</d></c>',
    "<c><d>9</d>" + "<n>" * 3_000 + "</n>" * 3_000 + "</c>",
    "<" * 65_536,
    "<c " * 20_000,
    "<c>" * 20_000,
    "</c>" * 20_000,
    "",
    " ",
    "9",
    '{"d":9}',
]


def test_what_is_no_xml_is_nothing_and_stops_nothing(connection: psycopg.Connection) -> None:
    read = documents_of(connection, HOSTILE)
    assert [body for body, document in zip(HOSTILE, read, strict=True) if document] == []


def test_what_is_large_or_odd_and_yet_xml_is_read(connection: psycopg.Connection) -> None:
    odd = {
        '<?xml version="1.0" encoding="UTF-16"?>\r\n<!-- x --><c>9</c><!-- x -->\n': "9",
        "<c><![CDATA[<d>8</d>]]></c>": "<d>8</d>",
        "<c><!-- <c>8</c> -->9<?c 8?></c>": "9",
        "<c>9&#xA;&#00000000000000000000000065;</c>": "9\nA",
        "<c>&amp;lt;&#38;gt;</c>": "&lt;&gt;",
        '<c>\\u0000"\\</c>': '\\u0000"\\',
        f"<c>{'&amp;' * 13_000}</c>": "&" * 13_000,
        f"<c a='{'>' * 60_000}'>9</c>": "9",
        "<c" + "".join(f" a{number}=''" for number in range(5_000)) + ">9</c>": "9",
        f"<c>{'<![CDATA[9]]>' * 1_500}</c>": "9" * 1_500,
        "<n:c xmlns:n='u' n:a='1' a='2'>9</n:c>": "9",
    }
    for text, document in zip(odd.values(), documents_of(connection, list(odd)), strict=True):
        assert document is not None
        assert document["c"][0]["="] == text
    deep = documents_of(connection, ["<c>" * 300 + "9" + "</c>" * 300])[0]
    assert deep is not None
