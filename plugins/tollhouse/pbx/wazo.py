r"""Wazo (20.0 or newer): its call logs are fetched over HTTPS.

Wazo writes a call log for each conversation, once the whole conversation has ended, and hands them
out by the API of `wazo-call-logd`. Tollhouse is a client of that API with a token of its own.

## In Wazo

Make a user of type *web services* (*Configuration*, *Web Services Access* on older releases) with a
long password of its own, and give it this access and no other:

    call-logd.cdr.read

`call-logd.#` is known from older guides and works; it would let the account delete recordings too.
Nothing needs to be switched on: every Wazo writes call logs.

### Tenants

The account sees the calls of the tenant that it was made in. For several tenants of one server
either make an entry for each, with an account of its own or with `settings.tenant`, the tenant's
uuid; or fetch all of them into one entry with `settings.recurse: true`, from an account in the
master tenant. Do not do both: two entries that fetch the same calls count them twice.

## Network and connection

Open TCP 443 from this machine to the server. Only HTTPS is spoken, and the certificate is checked.
A fresh Wazo has one that it signed itself, in `/usr/share/wazo-certs/server.crt`: copy that file
to this machine and name it in `extra.tls_ca`, or give the server a certificate of an authority
that this machine trusts. The connection's host must be a name in the certificate; where it is
reached by another one, put the certificate's name into `extra.server_name`.

    AIRFLOW_CONN_PBX_ARLES_MUSEUM='{"conn_type": "https", "host": "pbx.example.com", "port": 443,
      "login": "tollhouse", "password": "…", "extra": {"tls_ca": "/etc/tollhouse/arles.pem"}}'

`extra.proxy` is the URL of a proxy on the way. `settings` of the entry may hold `tenant`,
`recurse`, `page_rows` (1000) and `overlap_ids` (200).

`extension_digits` of the entry should say how long extensions are: what is longer is a number
outside. `outside_line_prefix` is what people dial to get out, if they do.

## Pitfalls

- **Ids are not permanent.** `wazo-call-logs delete` and `generate` remove call logs and write them
  anew, under new ids. Such a call is counted once: it is known again by its conversation (by
  tenant, start and caller before 24.09). The newest call log holds and the one before it becomes a
  duplicate; but a call on an issued invoice stays as it was invoiced, and each build's check
  `test_invoiced_calls_say_what_they_said` names those that say something else now. Before 24.09 a
  call whose caller hid the number is not known again: generated anew, it counts twice.
- **A forward to an outside number costs** though Wazo keeps the direction of the call that was
  forwarded. It is told by the destination: longer than an extension and none of Wazo's own. The
  extension that forwarded it pays. A forward to a short number (15, 3900) looks like one to an
  extension and stays internal.
- A call log says who was asked first and where the call ended, not what was between: of a call
  that went over several phones these two are known, and one duration.
- No trunk and no account code is told, so services cannot be found by them. Busy is told as not
  answered. Calls that were blocked are not listed.
- Calls that come in over a trunk that the dial plan does not mark as incoming are labelled
  internal, by Wazo already.
- A retention (*purge of call logs*) shorter than the longest pause between two pulls loses calls.
- The clock's zone is in every time, with its offset; `time_zone` of the entry serves reports alone.

## What the call logs hold

Start, answer and end with their offsets, conversation in whole seconds, direction, caller, number
asked for and number reached, extensions and names on both sides, group, voicemail, conversation id.

They hold no price.

## Test

Call out from an extension, talk for a few seconds, hang up, wait a minute. Then

    tollhouse pbx check arles_museum

must show that call, raw and parsed. It tells a certificate that is not trusted, a wrong password
and a missing right apart, and says what helps. By hand, with the web-services user:

    curl --cacert arles.pem -u tollhouse -X POST -H 'Content-Type: application/json' \
        -d '{}' https://pbx.example.com/api/auth/0.1/token
"""

from tollhouse.pbx import ApiDefaults, Framing, Model

MODEL = Model(
    model_id="wazo",
    title="Wazo",
    transports=("http_api",),
    framing=Framing(kind="json_rows", answer_list="items"),
    encoding="utf-8",
    api=ApiDefaults(api="wazo", port=443, key="id"),
)
