"""A simulated OmniPCX Enterprise with AHL: a TCP server that sends lines without a layout."""

from lab.captures import captured

SIMULATOR = captured("alcatel_oxe_ahl", role="server")
