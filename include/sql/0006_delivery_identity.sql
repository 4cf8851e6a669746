-- What landing must remember of a delivery to tell growth, repetition and a new beginning apart.

alter table raw.deliveries
    add column source_identity text,
    add column repeated_bytes bigint not null default 0;
comment on column raw.deliveries.source_identity is
    'Which source the unit is part of (a spool''s identity): another one under the same name is a new generation.';
comment on column raw.deliveries.repeated_bytes is
    'The first bytes of the unit repeat content that another delivery had landed: they are never read again.';
