-- Tickets that are not whole, as only whoever heard the connection end knows: a cut ticket may read like another one.

create table raw.cut_tickets (
    ticket_id bigint primary key,
    batch_id int not null references raw.batches (batch_id) on delete cascade
);
create index cut_tickets_of_batch on raw.cut_tickets (batch_id);
comment on table raw.cut_tickets is
    'Tickets whose connection ended within them: rejected when they are staged, whatever their text says.';
comment on column raw.cut_tickets.batch_id is 'The pull that landed the ticket.';

grant select, insert, delete on raw.cut_tickets to tollhouse_loader;
grant select on raw.cut_tickets to tollhouse_dbt, tollhouse_billing;
