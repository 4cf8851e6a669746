"""Replays: what is in raw is read again after a layout or a staging model changed.

A replay is tried first, on a copy that nobody sees, and its difference is shown; kept, its batches
are opened again and built like any others. Tickets on issued invoices stay as they were invoiced.
"""
