-- Raw: deliveries, tickets, batches, conflicts, builds (architecture.md, "Raw").

create table raw.deliveries (
    delivery_id int generated always as identity primary key,
    pbx_id text not null,
    model text not null,
    unit text not null,
    generation int not null default 1,
    content_sha256 text,
    size_bytes bigint,
    modified_at timestamptz,
    header text,
    first_seen_at timestamptz not null default now(),
    last_read_at timestamptz not null default now(),
    unique (pbx_id, unit, generation)
);
create index deliveries_content on raw.deliveries (pbx_id, content_sha256) where content_sha256 is not null;
comment on table raw.deliveries is 'One row per unit that a source hands over: a file, a spool segment, a table, an API.';
comment on column raw.deliveries.generation is
    'Rises when the unit starts again: truncated table, restarted auto-increment, rebuilt spool, file with new content.';
comment on column raw.deliveries.header is 'The line that names the columns, where the format has one (CUCM, OXE).';

create table raw.batches (
    batch_id int generated always as identity primary key,
    pbx_id text not null,
    model text not null,
    dag_id text,
    run_id text,
    run_type text not null default 'command',
    idlast_before text,
    idlast_after text,
    interval_start timestamptz,
    interval_end timestamptz,
    rows_read bigint not null default 0,
    rows_inserted bigint not null default 0,
    rows_already_there bigint not null default 0,
    rows_conflicting bigint not null default 0,
    landed_at timestamptz not null default now(),
    build_id int,
    built_at timestamptz
);
create index batches_not_built on raw.batches (batch_id) where built_at is null;
create index batches_of_pbx on raw.batches (pbx_id, batch_id);
comment on table raw.batches is 'The ledger of pulls. A batch is built when built_at is set, and built again when it is cleared.';
comment on column raw.batches.idlast_after is
    'IDLAST after this pull; null when the pull does not move it (backfill of an interval).';
comment on column raw.batches.build_id is 'The build that took this batch last; see raw.builds.';

create table raw.batch_deliveries (
    batch_id int not null references raw.batches (batch_id) on delete cascade,
    delivery_id int not null references raw.deliveries (delivery_id),
    first_ordinal bigint,
    last_ordinal bigint,
    rows_read bigint not null default 0,
    rows_inserted bigint not null default 0,
    primary key (batch_id, delivery_id)
);

create sequence raw.ticket_ids as bigint cache 1000;

create table raw.tickets (
    model text not null,
    delivery_id int not null,
    ordinal bigint not null,
    ticket_id bigint not null default nextval('raw.ticket_ids'),
    batch_id int not null,
    received_at timestamptz not null,
    body text not null,
    primary key (model, delivery_id, ordinal)
) partition by list (model);
create index tickets_of_batch on raw.tickets (batch_id);
comment on table raw.tickets is 'Every ticket verbatim, one row each, never updated.';
comment on column raw.tickets.ordinal is 'Row id, byte offset or record number: orders the tickets of a delivery.';
comment on column raw.tickets.body is
    'The ticket as the PBX gave it; SQL and API rows as one JSON object; bytes that do not decode as \xNN.';

-- Partitions are made here and never at landing: CREATE ... PARTITION OF locks the parent.
do $$
declare
    model_id text;
begin
    foreach model_id in array array[
        'mitel_3300', 'panasonic_kx', 'aastra_a5000', 'aastra_a400', 'md_evolution', 'avaya_ipoffice',
        'grandstream_ucm', 'siemens_hipath', 'unify_openscape', 'shoretel', 'alcatel_oxe', 'alcatel_oxe_ahl',
        'alcatel_oxo', 'alcatel_4200', 'asterisk_mysql', 'asterisk_csv', 'itneo', 'telnowedge', 'fonisk',
        'wazo', 'threecx', 'cisco_cucm'
    ] loop
        execute format(
            'create table raw.tickets_%s partition of raw.tickets for values in (%L)', model_id, model_id
        );
    end loop;
end
$$;
create table raw.tickets_declared_layouts partition of raw.tickets default;

create table raw.conflicts (
    conflict_id bigint generated always as identity primary key,
    model text not null,
    delivery_id int not null references raw.deliveries (delivery_id),
    ordinal bigint not null,
    batch_id int not null references raw.batches (batch_id) on delete cascade,
    kept_ticket_id bigint not null,
    received_at timestamptz not null,
    body text not null,
    seen_at timestamptz not null default now(),
    resolved_at timestamptz,
    resolution text
);
comment on table raw.conflicts is
    'Same key, other body: the later body is kept here, never dropped, and the run raises an alarm.';

create table raw.builds (
    build_id int generated always as identity primary key,
    started_at timestamptz not null default now(),
    finished_at timestamptz,
    dag_run_id text
);
comment on table raw.builds is
    'One row per warehouse build. A build takes the batches landed and not built when it starts, and closes them last.';

-- The work list of the build under way: fixed when the build starts, so that a batch that lands while the models run waits.
create view raw.batches_to_build as
select batches.batch_id
from raw.batches as batches
where batches.built_at is null
    and batches.build_id = (select max(builds.build_id) from raw.builds as builds);

grant usage on schema raw to tollhouse_loader, tollhouse_dbt, tollhouse_billing;
grant select, insert, update, delete on all tables in schema raw to tollhouse_loader;
grant usage on all sequences in schema raw to tollhouse_loader;
grant select on all tables in schema raw to tollhouse_dbt, tollhouse_billing;
