-- Which declared layouts this database reads tickets by, so that a build sees that a file was edited.

create table directory.layouts (
    layout_id text primary key,
    model text not null,
    state text not null check (state in ('confirmed', 'unconfirmed', 'broken')),
    file_sha256 text not null,
    problem text,
    deployed_at timestamptz not null default now(),
    check ((state = 'broken') = (problem is not null))
);
comment on table directory.layouts is 'The files of include/layouts as they were when their views were made.';
comment on column directory.layouts.model is 'The model whose tickets it reads: itself, or a built-in one without SQL of its own.';
comment on column directory.layouts.problem is 'Of a broken one: file, line, key and fault.';

create table directory.layout_views (
    model text primary key,
    sha256 text not null,
    deployed_at timestamptz not null default now()
);
comment on table directory.layout_views is
    'The models whose staging views are generated from layouts, and of which text each view was made.';

grant select, insert, update, delete on directory.layouts, directory.layout_views to tollhouse_loader;
grant select on directory.layouts, directory.layout_views to tollhouse_dbt, tollhouse_billing;
