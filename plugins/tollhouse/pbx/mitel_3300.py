"""Mitel 3300 / MiVoice Business: set-up guide."""

from tollhouse.pbx import Framing, Model, StreamDefaults

MODEL = Model(
    model_id="mitel_3300",
    title="Mitel 3300 / MiVoice Business",
    transports=("spooled_stream",),
    # A port of 80 columns wraps each record: the rest comes as a line that does not start with a date.
    framing=Framing(
        kind="lines",
        wrap_columns=80,
        ticket_start=r"^(@\d{8}@)?[ %+-]?\d\d/\d\d[ _]",
        maximum_bytes=4_096,
    ),
    stream=StreamDefaults(direction="dial", port=1752),
)
