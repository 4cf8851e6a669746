"""A simulated MD Evolution: a TCP client that sends lines without a layout."""

from lab.captures import captured

SIMULATOR = captured("md_evolution", role="client")
