"""The commands of ``tollhouse``, one module each; ``tollhouse.cli`` wires them."""
