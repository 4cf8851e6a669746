"""Files of tickets, wherever they come from: which are new, what they are, what is landed of them.

A transport lists files and opens them; what a file is, is told here, by its content:

- the same bytes under any name land nothing;
- a file that begins with what it was has grown, and is read from where it stood;
- another content under an old name is a new generation of the delivery;
- a compressed file is a delivery without tickets, and each file in it is one of its own, named
  ``archive.zip/member``.

A transport calls ``not_read`` with what it listed and ``deliver`` with what is left. Small files
are read into memory and handed over many at a time; a large one is read twice, first for its
digest, and never held. A file that cannot be read, that is damaged or that changes meanwhile is
named in the warnings and waits for the next pull; the others land.
"""

from __future__ import annotations

from tollhouse.file_deliveries.choosing import in_order, is_of
from tollhouse.file_deliveries.delivering import deliver
from tollhouse.file_deliveries.listing import FileToDeliver, not_read

__all__ = ["FileToDeliver", "deliver", "in_order", "is_of", "not_read"]
