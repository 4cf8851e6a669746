"""The text beside each extract DAG: what it is, and what an operator does when it fails."""

from __future__ import annotations

from tollhouse.installed_pbxs import Pbx

EXTRACT = """\
# {pbx_id}: {title}

**What.** Pulls the tickets that came since the last run over `{transport}` into `raw.tickets`,
verbatim, and checks what arrived. The warehouse build wakes up by itself.

**Type.** Now: a run reads everything after IDLAST, the Variable `{variable}`, whatever its time.
A backfill (or a run with the parameters *from* and *to*) is an interval run: it reads that stretch
of time again, lands what is missing, and neither reads nor moves IDLAST.

**Safe to re-run?** Yes, always: a ticket that is there is compared and not doubled. To read again
from an earlier point, set `{variable}` back ({position}); delete it to read everything.

**What to do when it fails.**
- *The PBX cannot be read*: `tollhouse pbx check {pbx_id}` says at which step, and what to do. The
  run is tried again by itself; what the PBX keeps is not lost.
- *IDLAST is ahead of raw*: raw and the Variable do not fit together, as after a restore. The
  message names the two ways out; nothing is read until you choose.
- *A check of raw failed*: the tickets are landed and kept; the log names the expectation, the page
  *Data checks* shows the values. This run wakes no build, but the next build, of any PBX, takes the
  batch too: what cannot be read becomes `rejected`, with its reason. Settle the cause before the
  month is invoiced, then clear the task.
- *Conflicts* (an alarm, no failure): a ticket came again with other content. The first one counts;
  `raw.conflicts` has the other.

# Set-up

{guide}
"""

POSITIONS = {
    "spooled_stream": "`segment:offset` in the spool, `0:0` for all that is kept",
    "sql_table": "the id of a row, `0` for all of them",
    "http_api": "the id of a call, `0` for all; a time with its zone for a PBX asked by time",
    "dropped_files": "the number of a delivery, `0` for every file still in the folder",
    "remote_files": "the number of a delivery, `0` for every file that the PBX still has",
}


def extract_guide(pbx: Pbx) -> str:
    """Return the ``doc_md`` of a PBX's extract DAG: for its operator, then for its installer."""
    return EXTRACT.format(
        pbx_id=pbx.id,
        title=pbx.known_model.title,
        transport=pbx.transport,
        variable=pbx.idlast_variable,
        position=POSITIONS[pbx.transport],
        guide=pbx.known_model.guide,
    )
