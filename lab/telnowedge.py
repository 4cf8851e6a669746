"""A simulated TelNowEdge: FreePBX's rows, in a database of its own."""

from dataclasses import replace

from lab import asterisk

TABLES = replace(asterisk.TABLES, database="telnowedge")
tickets_of = asterisk.tickets_of
