-- Gates that a named person let an invoice through, and why (I3): kept with the invoice, as immutable as it.

create table billing.gate_overrides (
    invoice_id int not null references billing.invoices,
    gate text not null,
    subject text not null,
    reason text not null check (btrim(reason) <> ''),
    named_by text not null check (btrim(named_by) <> ''),
    recorded_at timestamptz not null default now(),
    primary key (invoice_id, gate, subject)
);
comment on table billing.gate_overrides is 'Who let an invoice through a gate that may be overridden, and why (I3).';

create trigger gate_overrides_frozen before update or delete on billing.gate_overrides
for each row execute function billing.refuse_change();

grant select, insert on billing.gate_overrides to tollhouse_billing;
grant select on billing.gate_overrides to tollhouse_dbt;
