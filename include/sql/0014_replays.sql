-- Batches that are read again: on trial first, and then kept or not (`tollhouse replay`).

create table raw.replays (
    replay_id int generated always as identity primary key,
    pbx_id text not null,
    received_since timestamptz not null,
    received_until timestamptz,
    batch_ids int[] not null,
    ticket_count bigint not null,
    tried_by text not null,
    tried_at timestamptz not null default now(),
    summary jsonb,
    kept_at timestamptz
);
create index replays_of_pbx on raw.replays (pbx_id, replay_id);
comment on table raw.replays is
    'Batches that were read again to see what comes out differently. A trial that was not kept goes with the next one.';
comment on column raw.replays.summary is 'What was shown before it was kept: counts of states, columns, calls and amounts.';
comment on column raw.replays.kept_at is 'When the batches were opened for a build again; null while it is a trial.';

create table raw.replay_differences (
    replay_id int not null references raw.replays (replay_id) on delete cascade,
    ticket_id bigint not null,
    is_invoiced boolean not null,
    before jsonb not null,
    after jsonb not null,
    primary key (replay_id, ticket_id)
);
comment on table raw.replay_differences is 'A row for each ticket that is read otherwise than before: the columns that differ, before and after.';
comment on column raw.replay_differences.is_invoiced is
    'The ticket is on an issued invoice: it stays as it was invoiced, and this is how it would be read.';

-- A trial is known to its own session of dbt only, by a setting: nothing is left of it when that session ends, however it ends.
create or replace view raw.batches_to_build as
select batches.batch_id
from raw.batches as batches
where batches.built_at is null
    and batches.build_id = (select max(builds.build_id) from raw.builds as builds)
    and coalesce(current_setting('tollhouse.replay_on_trial', true), '') = ''
union all
select unnest(replays.batch_ids) as batch_id
from raw.replays as replays
where replays.replay_id = nullif(current_setting('tollhouse.replay_on_trial', true), '')::int;

grant select, insert, update, delete on raw.replays, raw.replay_differences to tollhouse_loader;
grant usage on all sequences in schema raw to tollhouse_loader;
grant select on raw.replays, raw.replay_differences to tollhouse_dbt, tollhouse_billing;
grant insert on raw.replay_differences to tollhouse_dbt;
