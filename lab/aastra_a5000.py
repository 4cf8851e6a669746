"""A simulated Aastra A5000: a TCP server that sends lines without a layout."""

from lab.captures import captured

SIMULATOR = captured("aastra_a5000", role="server")
