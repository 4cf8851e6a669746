-- Billing: issued invoices, frozen (I1), numbered without a gap (I2). Drafts are dbt models and have no number.

create table billing.number_series (
    issuer_id text not null,
    series text not null,
    year int not null,
    last_number int not null default 0,
    last_issue_date date,
    primary key (issuer_id, series, year)
);
comment on table billing.number_series is
    'The counter of each series; its row is locked in the transaction that freezes the invoice, never a sequence (I2).';

create table billing.invoices (
    invoice_id int generated always as identity primary key,
    issuer_id text not null,
    customer_id text not null,
    service_id text not null,
    billing_month date not null check (extract(day from billing_month) = 1),
    invoice_number text not null check (invoice_number ~ '^[A-Za-z0-9+_/-]{1,35}$'),
    series text not null,
    year int not null,
    sequence_number int not null,
    type_code text not null default '380' check (type_code in ('380', '381')),
    issue_date date not null,
    due_date date not null,
    currency text not null,
    language text not null,
    vat_regime text not null,
    vat_rate_percent numeric(5, 2) not null,
    vat_exemption_reason text,
    net_amount numeric(14, 2) not null,
    vat_amount numeric(14, 2) not null,
    total_amount numeric(14, 2) not null check (total_amount = net_amount + vat_amount),
    call_count bigint not null,
    talk_seconds bigint not null,
    billed_seconds bigint not null,
    issuer_snapshot jsonb not null,
    customer_snapshot jsonb not null,
    service_snapshot jsonb not null,
    issued_at timestamptz not null default now(),
    issued_by text not null,
    unique (issuer_id, invoice_number),
    unique (issuer_id, series, year, sequence_number),
    check (due_date >= issue_date)
);
-- A service's month is invoiced once; corrections are credit notes.
create unique index invoices_once on billing.invoices (service_id, billing_month) where type_code = '380';

create table billing.invoice_lines (
    invoice_id int not null references billing.invoices,
    line_number int not null,
    section text not null,
    period_month date not null,
    destination_class text not null,
    description text not null,
    call_count bigint not null,
    talk_seconds bigint not null,
    billed_seconds bigint not null,
    exact_amount numeric(18, 6) not null,
    net_amount numeric(14, 2) not null,
    vat_rate_percent numeric(5, 2) not null,
    currency text not null,
    primary key (invoice_id, line_number)
);
comment on column billing.invoice_lines.section is 'communications, previous_periods (I4), ...';

create table billing.invoice_calls (
    ticket_id bigint primary key,
    invoice_id int not null references billing.invoices,
    line_number int not null,
    call_id bigint not null,
    rated_at timestamptz not null,
    extension text,
    called_number text,
    destination_name text not null,
    destination_class text not null,
    talk_seconds int not null,
    billed_seconds int not null,
    exact_amount numeric(18, 6) not null,
    currency text not null,
    tariff_version_id int not null,
    rate_id int not null,
    foreign key (invoice_id, line_number) references billing.invoice_lines
);
create index invoice_calls_of_invoice on billing.invoice_calls (invoice_id);
comment on table billing.invoice_calls is 'The legs frozen on an invoice; the key forbids a leg on two invoices (I3).';

create table billing.documents (
    invoice_id int not null references billing.invoices,
    kind text not null check (kind in ('invoice', 'annex')),
    file_name text not null,
    sha256 text not null,
    size_bytes bigint not null,
    rendered_at timestamptz not null default now(),
    primary key (invoice_id, kind)
);

create table billing.set_aside (
    ticket_id bigint primary key,
    reason text not null,
    named_by text not null,
    set_aside_at timestamptz not null default now()
);
comment on table billing.set_aside is 'Unrated legs that a named person takes off an invoice; they wait as late items (R8, I4).';

-- What is issued does not change: no role, the owner included, may update or delete it (I1).
create function billing.refuse_change() returns trigger language plpgsql as $$
begin
    raise exception 'issued invoices are immutable: correct with a credit note (rule I1)';
end
$$;
create trigger invoices_frozen before update or delete on billing.invoices
for each row execute function billing.refuse_change();
create trigger invoice_lines_frozen before update or delete on billing.invoice_lines
for each row execute function billing.refuse_change();
create trigger invoice_calls_frozen before update on billing.invoice_calls
for each row execute function billing.refuse_change();

grant usage on schema billing to tollhouse_billing, tollhouse_dbt;
grant select, insert on all tables in schema billing to tollhouse_billing;
grant update on billing.number_series, billing.documents to tollhouse_billing;
grant usage on all sequences in schema billing to tollhouse_billing;
grant select on all tables in schema billing to tollhouse_dbt;
