"""Which dialogue a PBX speaks: the name in its model's ``StreamDefaults``, and what makes one."""

from __future__ import annotations

from collections.abc import Callable

from tollhouse.collector.dialogues import Dialogue
from tollhouse.collector.dialogues.documents import DocumentDialogue
from tollhouse.collector.dialogues.lines import LineDialogue
from tollhouse.collector.dialogues.login import DEFAULT_LOGIN, DEFAULT_PASSWORD, LoginDialogue
from tollhouse.collector.dialogues.oxe_blocks import OxeDialogue
from tollhouse.collector.lines import LineSplitter
from tollhouse.collector.stream_settings import stream_of
from tollhouse.connections import PbxConnection
from tollhouse.installed_pbxs import Pbx
from tollhouse.pbx import DialogueName


def dialogue_for(pbx: Pbx, connection: PbxConnection) -> Dialogue:
    """Return a new dialogue for one connection of a PBX.

    Args:
        pbx: whose model names the dialogue.
        connection: login and password, for dialogues that log in.
    """
    return _FACTORIES[stream_of(pbx).dialogue](pbx, connection)


def _lines(pbx: Pbx, _: PbxConnection) -> Dialogue:
    return LineDialogue(pbx.known_model.framing.maximum_bytes, stream_of(pbx).line_end)


def _login(pbx: Pbx, connection: PbxConnection) -> Dialogue:
    if pbx.settings.get("login") is False:  # behind a serial-to-TCP box nobody asks for one
        return _lines(pbx, connection)
    encoding = pbx.known_model.encoding
    return LoginDialogue(
        (connection.login or DEFAULT_LOGIN).encode(encoding, "replace"),
        (connection.password or DEFAULT_PASSWORD).encode(encoding, "replace"),
        LineSplitter(pbx.known_model.framing.maximum_bytes, stream_of(pbx).line_end),
    )


_FACTORIES: dict[DialogueName, Callable[[Pbx, PbxConnection], Dialogue]] = {
    "lines": _lines,
    "documents": lambda pbx, _: DocumentDialogue(pbx.known_model.framing.maximum_bytes),
    "login": _login,
    "oxe_blocks": lambda _pbx, _connection: OxeDialogue(),
}
