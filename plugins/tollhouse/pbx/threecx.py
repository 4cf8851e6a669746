r"""3CX: a record per call, in files of their own or in one log, or over TCP.

When a call ends, 3CX writes a line of fields separated by commas. Files are the safer way: they
wait while nobody reads them, and what was sent to a socket that nobody listened on is lost.

## In the PBX

In the management console, *Settings*, *CDR* (V16 and V18: *Settings*, *CDR*; V15: *Settings*, *CDR
Settings*; V20: *Admin*, *Advanced*, *CDR*), tick *Enable CDR* (older: *Generate CDR*) and choose
one output:

| output | what it does | here |
|---|---|---|
| Separate files for each call | `cdr-240617055949.288831.log` (time, number) | the best choice |
| Single file for all calls | `cdr.log`, which grows | read from where it stood |
| Active socket | 3CX connects and sends each record | the collector listens |
| Passive socket | 3CX listens, and sends to whoever is connected | the collector dials |

Then the **fields**: under *Configure CDR Output fields*, *Add* all that are offered, in the order
proposed, and leave their formats as they are. That makes 27 (20 on old releases):

    historyid, callid, duration, time-start, time-answered, time-end, reason-terminated, from-no,
    to-no, from-dn, to-dn, dial-no, reason-changed, final-number, final-dn, bill-code, bill-rate,
    bill-cost, bill-name, chain, from-type, to-type, final-type, from-dispname, to-dispname,
    final-dispname, missed-queue-calls

Where another program needs a list of its own, write that list into the entry, in its order:

    settings:
      fields: [historyid, callid, duration, time-start, time-answered, time-end, from-no, to-no]

Without `time-start`, `from-no` and `to-no` no line can be read. Without `historyid` and `callid`
neither: they tell a record that came twice from two calls. Without `time-answered` no call was
answered, without `dial-no` the number is that of `to-no`, and without `reason-changed`, `final-dn`
and the types transfers and queues are not seen.

## Files

3CX writes them here:

- Windows: `C:\ProgramData\3CX\Instance1\Data\Logs\CDRLogs`
- Linux: `/var/lib/3cxpbx/Instance1/Data/Logs/CDRLogs`

They reach this machine in one of three ways:

- **a share**: share the folder, read and write for one account that nothing else uses, and mount it
  below `var/` (`mount -t cifs … -o ro` where nothing shall be put away);
- **fetched by SFTP**: on Linux, with an account that may read that folder; see below;
- a program on the PBX that brings them (rsync over SSH, every minute).

The entry of a folder here, below `var/` or an absolute one:

    settings:
      folder: drop/rennes_lab
      after_landing: archive      # or keep (the default), or delete

3CX itself never deletes these files: where one is written per call, put them away after landing,
or the folder grows by tens of thousands a year and takes longer to list each time. No Airflow
Connection is needed for a folder.

By SFTP the files are fetched from where 3CX writes them, and put away there, if asked:

    transport: remote_files
    settings:
      folder: /var/lib/3cxpbx/Instance1/Data/Logs/CDRLogs

    AIRFLOW_CONN_PBX_RENNES_LAB='{"host": "192.0.2.20", "login": "tollhouse", "password": "…",
      "extra": {"host_key": "SHA256:…"}}'

`ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` on the PBX shows the fingerprint for `host_key`.

## Socket

*Active socket*: enter the collector's address and port in the console. The connection names the
address and the port on which the collector listens, and the entry who may connect:

    AIRFLOW_CONN_PBX_RENNES_LAB=tcp://192.0.2.20:7780

    transport: spooled_stream
    settings:
      allowed_peers: [192.0.2.10/32]

*Passive socket*: enter a free port in the console. `settings` hold `direction: dial`, the
connection names the PBX.

## Network

Files: TCP 445 (share) or 22 (SFTP) from this machine to the PBX. Active socket: TCP 7780 from the
PBX to the collector. Passive socket: the port entered in the console, from the collector to the
PBX. V20 hosted by 3CX offers no files: use the active socket, by a VPN, for it is not encrypted.

## Pitfalls

- **All times are UTC**, in the records and in the file names; `time_zone` of the entry serves bands
  and reports. The call id holds the instant too: times that are whole quarters of an hour off it
  were written in another zone, and are put right by it.
- **Names are written as they are.** A comma in one moves the fields after it. Fields before the
  names are counted from the left and those behind from the right, so only names can suffer; *Last,
  First* is put together again. `bill-name` and `bill-code` must have no comma, and the machine's
  language no decimal comma: such a line is rejected.
- **Changing the field list changes all lines after it**: change the entry at the same time. A
  `cdr.log` with both is read wrongly in part: rename it before, 3CX begins a new one.
- A log that was opened and saved in a spreadsheet has quotation marks; it is read.
- **One output is enough.** With a file and a socket at once each call comes twice, in two entries;
  within one entry the same record counts once, whatever way and however often it came.
- `ProgramData` is a hidden folder, and an update of 3CX may reset the rights on it.
- A queue or a digital receptionist answers at once, so the time that the caller waited there counts
  as conversation.
- Reason codes changed with V20 Update 6 and the old ones still appear beside them: both are read.
- A calling card or tie trunk that rings on after an answer: see `answer_threshold_seconds` in
  docs/configuration.md.

## What the records hold

Start, answer and end to the second, conversation, caller, number dialled, both internal numbers
(extension, trunk, queue), who finally talked, reason of the end, chain of all parties, billing code
(the account code), and what 3CX thinks the call cost (`bill-cost`, minutes by a rate per prefix):
it is kept as the charge of the PBX, in the `charge_currency` that `settings` name, because 3CX
names none. Calls are rated here by your tariffs; where the rates of 3CX were never entered, every
call costs 1 a minute there, and the records hold no price that means anything. `EndCall` (3CX
itself), voicemail and voice menus count as answered by a machine. A call that was forwarded or
transferred to the outside is one record, and belongs to who sent it there.

## Test

Call out from an extension, talk for a few seconds, hang up. Then

    tollhouse pbx check rennes_lab

must show that call, raw and parsed. If it stops at *files*: is there a new file in `CDRLogs`? If
not, the output in the console, or the *CDR* service, which wants a restart after a change; if so,
the share and its rights. If it stops at *tickets*: the field list differs from that of the entry.
"""

from tollhouse.pbx import FileDefaults, Framing, Model, StreamDefaults

MODEL = Model(
    model_id="threecx",
    title="3CX",
    transports=("dropped_files", "remote_files", "spooled_stream"),
    framing=Framing(kind="lines", maximum_bytes=16_384),
    encoding="utf-8",
    stream=StreamDefaults(direction="listen", port=7780, connections="many"),
    # The time in a name has a year of two digits: a backfill goes by the time of the file.
    files=FileDefaults(pattern="[Cc][Dd][Rr]*.[Ll][Oo][Gg]"),
)
