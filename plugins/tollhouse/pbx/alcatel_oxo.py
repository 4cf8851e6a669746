r"""Alcatel-Lucent OXO (OmniPCX Office, OXO Connect): XML files of the OLD driver, not yet read.

**The names of the fields in these files are not public.** Tollhouse collects every ticket, keeps it
as it came and rejects it with the reason `layout_not_confirmed`: nothing is guessed, nothing is
billed, nothing is lost. When the layout is known, what was kept is read again. See *Reading the
tickets*.

The PBX keeps tickets for a program of its manufacturer, the OLD driver (OHL driver on its own
pages). That runs on a PC with Windows, asks the PBX over HTTP and FTP, and writes files named
`TicketCollector<Date>.xml`. Each element right below the root of such a file is a ticket.

## In the PBX

With *OMC*:

| page | option | value | why |
|---|---|---|---|
| Service levels, central | licence *Call Accounting over IP* | active | hands out tickets |
| Metering | IP output active | yes | tickets for the driver |
| Metering | Unanswered incoming calls | yes | missed calls |
| Metering | Leased line printing | yes | calls over tie lines |
| Metering | Masking of the last four digits | no | such numbers are rated by what is left |
| Each set, *Metering* | | all calls | a set that is left out makes no tickets |

## On the PC with Windows

1. Install the driver, on Windows 7 and later into `C:\Alcatel\OHL Driver` and not below *Program
   Files*, where it may not write. Choose *Metering Mode*.
2. In `OHLDriver.conf`, in that folder: `METERING_COLLECTOR_MAX_TICKET=1`, so that each ticket is a
   file and none waits for others, and `DRIVER_RUNNING_MODE=Metering`.
3. Start the configuration: *Autodetect*, or the address of the PBX as *Host Name*; as *Admin
   Password* that of the PBX's administrator, which should no longer be the one it was delivered
   with; *Save*, *Test Connection*, which shows the version of the PBX, *Start*.
4. Call out. A file must appear in the driver's folder, or in the public documents of the PC.

## Here: the folder

The files reach this machine in one of three ways:

- **a share**: share the driver's folder, for one account that nothing else uses, and mount it below
  `var/` (read-only where nothing shall be put away);
- **sent**: a scheduled task on the PC that sends new files by SFTP into a drop folder here, with an
  account that may write there and nowhere else;
- **fetched**, from an SFTP server on the PC (Windows brings one as an optional feature) that shows
  the driver's folder: see below.

The entry, with a folder below `var/` or an absolute one:

    settings:
      folder: drop/quimper_office
      after_landing: archive      # or keep (the default), or delete

No Airflow Connection is needed for a folder. Fetched files need one:

    transport: remote_files
    settings:
      folder: /tickets

    AIRFLOW_CONN_PBX_QUIMPER_OFFICE='{"host": "192.0.2.20", "login": "tollhouse", "password": "…",
      "extra": {"host_key": "SHA256:…"}}'

Where the tickets of a site stand deeper than right below the root, name their element, without its
prefix: `settings` also hold `ticket_element: Ticket`. An element beside them that holds no ticket
is kept as one, so that nothing is lost; what merely encloses them is not kept.

## Network

From the PC to the PBX: TCP 80 or 443, and 21 with its data ports. From this machine to the PC: TCP
445 (share) or 22 (fetched); or from the PC to this machine: TCP 22 (sent).

## Pitfalls

- **A driver in the wrong mode** (`DRIVER_RUNNING_MODE=Hotel`) connects and writes no file.
- **One driver only** takes the tickets of a PBX. Stop the one of the old billing system, or let it
  write into a folder that both may read.
- What the PBX keeps while the driver is off is bounded: start it with Windows, as a service.
- A driver that does not connect: the password (some versions want exactly eight characters, with
  capital, small letter and digit), the firewall of the PC. `log.txt` beside the files says which.
- **A file with a document type is not read**: it could ask for other files and addresses. It is
  kept as one damaged ticket, and the log of the task names the line. So is what follows a damage in
  a file, behind the tickets that are whole.
- A driver that is started anew may write a file once more: the same content under any name lands
  nothing.
- In these files the language is English, and fields that are named as on the printed statement do
  not always mean the same.

## What the tickets hold

Not known from any public text, and so they hold no price, number or time as far as Tollhouse is
concerned: `tollhouse reconcile` counts them as rejected. The printed statement of the same PBX has
the user charged, direction, line, date, time, duration, ring time, number, units and cost, account
code and facilities such as transfer.

## Reading the tickets

`include/layouts/alcatel_oxo.yml` is a layout of the likely element names, in one place, each marked
as confirmed or inferred. It is not confirmed, so every ticket stays rejected until you have held it
against a file of yours:

1. `tollhouse layout draft FILE` names every element of a file and what its values look like;
2. correct names, formats and codes in the layout;
3. `tollhouse layout check alcatel_oxo FILE…` shows what would be parsed, rejected and ignored;
4. `confirmed: true` in the layout reads tickets from now on;
5. `tollhouse replay --pbx quimper_office --since 2026-10-01` reads what was kept.

An entry of another layout than this names it: `settings: {layout: our_oxo}`.

### Send in a capture

The driver's folder, or the web service of the PBX, has a schema (`.xsd`) of the tickets: send it
with at least 20 files, and a list kept by hand of the same calls (who called whom, when, how long
it rang, how long they talked), so that each field can be proven. Include a missed call and a
transfer. Replace the last digits of numbers by others of the same length.

## Test

Call out from a set, hang up. Then

    tollhouse pbx check quimper_office

must show a ticket, raw and rejected. If it stops at *files*: is there a new file on the PC? If not,
`log.txt`, the running mode and the licence; if so, the share or the task that sends. If it stops at
*tickets*: the file is not XML, or holds no element below its root.
"""

from tollhouse.pbx import FileDefaults, Framing, Model

MODEL = Model(
    model_id="alcatel_oxo",
    title="Alcatel-Lucent OXO (OmniPCX Office, OXO Connect; capture only)",
    transports=("dropped_files", "remote_files"),
    framing=Framing(kind="elements"),
    # A file that says its own encoding is read by that.
    encoding="utf-8",
    files=FileDefaults(
        pattern="[Tt]icket[Cc]ollector*.[Xx][Mm][Ll]",
        remedy=(
            "On the PC of the OLD driver: is there a new file? If not, log.txt beside it, "
            "DRIVER_RUNNING_MODE=Metering and the licence; if so, the share or the task that sends."
        ),
    ),
    read_by_layout=True,
)
