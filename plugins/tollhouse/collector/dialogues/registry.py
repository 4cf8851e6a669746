"""Which dialogue a PBX speaks: the name in its model's ``StreamDefaults``, and what makes one."""

from __future__ import annotations

from collections.abc import Callable

from tollhouse.collector.dialogues import Dialogue
from tollhouse.collector.dialogues.lines import LineDialogue
from tollhouse.connections import PbxConnection
from tollhouse.installed_pbxs import Pbx
from tollhouse.pbx import DialogueName, StreamDefaults

#: What a model without a word about its stream would speak: lines of text.
_UNSAID = StreamDefaults(direction="dial", port=0)


def dialogue_for(pbx: Pbx, connection: PbxConnection) -> Dialogue:
    """Return a new dialogue for one connection of a PBX.

    Args:
        pbx: whose model names the dialogue.
        connection: login and password, for dialogues that log in.
    """
    return _FACTORIES[stream_of(pbx).dialogue](pbx, connection)


def stream_of(pbx: Pbx) -> StreamDefaults:
    """Return how a PBX's model speaks over TCP."""
    return pbx.known_model.stream or _UNSAID


def _lines(pbx: Pbx, _: PbxConnection) -> Dialogue:
    return LineDialogue(pbx.known_model.framing.maximum_bytes, stream_of(pbx).line_end)


_FACTORIES: dict[DialogueName, Callable[[Pbx, PbxConnection], Dialogue]] = {
    "lines": _lines,
}
