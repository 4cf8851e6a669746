-- Directory: dated configuration that SQL joins as of a call's instant (R16, R18).
-- Periods are half open [valid_from, valid_to); an absent valid_to means "still". Dated rows never overlap.

create table directory.issuers (
    issuer_id text primary key,
    legal_name text not null,
    legal_form text not null,
    share_capital text,
    siren text not null,
    siret text not null,
    trade_register text not null,
    vat_number text not null,
    address_line_1 text not null,
    address_line_2 text,
    postal_code text not null,
    city text not null,
    country text not null,
    email text,
    phone text,
    iban text not null,
    bic text,
    currency text not null default 'EUR',
    language text not null default 'fr',
    billing_time_zone text not null default 'Europe/Paris',
    payment_days int not null default 30,
    late_payment_rate_percent numeric(6, 3) not null,
    recovery_fee_amount numeric(12, 2) not null default 40.00,
    vat_on_debits boolean not null default false,
    invoice_series text not null,
    logo_file text,
    primary_colour text,
    check (payment_days between 0 and 45)
);

create table directory.customers (
    customer_id text primary key,
    issuer_id text not null references directory.issuers,
    legal_name text not null,
    siren text,
    vat_number text,
    address_line_1 text not null,
    address_line_2 text,
    postal_code text not null,
    city text not null,
    country text not null,
    email text
);

create table directory.services (
    service_id text primary key,
    issuer_id text not null references directory.issuers,
    customer_id text not null references directory.customers,
    service_name text not null,
    is_billable boolean not null default true,
    vat_regime text not null default 'standard'
        check (vat_regime in ('standard', 'zero', 'exempt', 'reverse_charge_283_2_octies', 'intra_eu_b2b')),
    vat_rate_percent numeric(5, 2) not null default 20.00,
    vat_exemption_reason text,
    wants_annex boolean not null default true,
    shows_full_numbers boolean not null default false,
    language text
);
comment on table directory.services is 'What is invoiced: one invoice per billable service and month.';

create table directory.pbxs (
    pbx_id text not null,
    model text not null,
    transport text not null,
    time_zone text not null,
    country text not null,
    outside_line_prefix text,
    outside_line_policy text not null default 'auto' check (outside_line_policy in ('never', 'always', 'auto')),
    trunks text[] not null default '{}',
    number_ranges text[] not null default '{}',
    extension_digits int4range,
    carrier_id text,
    default_service_id text,
    transfer_payer text not null default 'initiator' check (transfer_payer in ('initiator', 'last_party', 'by_segment')),
    answer_threshold_seconds int,
    settings jsonb not null default '{}',
    valid_from date not null default '-infinity',
    valid_to date not null default 'infinity',
    check (valid_from < valid_to),
    exclude using gist (pbx_id with =, daterange(valid_from, valid_to) with &&)
);
comment on table directory.pbxs is 'The entries of include/pbx.yml, dated. Staging reads the row that is valid today.';
comment on column directory.pbxs.answer_threshold_seconds is
    'Trunks without answer supervision: shorter calls count as not answered, longer ones are estimated (R9).';

create view directory.current_pbxs as
select *
from directory.pbxs
where valid_from <= current_date
    and valid_to > current_date;

create table directory.extensions (
    pbx_id text not null,
    extension text not null,
    service_id text not null references directory.services,
    holder_name text,
    cost_centre text,
    valid_from date not null,
    valid_to date not null default 'infinity',
    check (valid_from < valid_to),
    exclude using gist (pbx_id with =, extension with =, daterange(valid_from, valid_to) with &&)
);

create table directory.number_ranges (
    pbx_id text not null,
    first_number text not null,
    last_number text not null,
    service_id text not null references directory.services,
    valid_from date not null,
    valid_to date not null default 'infinity',
    check (valid_from < valid_to),
    check (first_number ~ '^\+[0-9]{4,18}$' and last_number ~ '^\+[0-9]{4,18}$'),
    check (length(first_number) = length(last_number) and first_number collate "C" <= last_number collate "C"),
    exclude using gist (
        pbx_id with =,
        numrange(substr(first_number, 2)::numeric, substr(last_number, 2)::numeric, '[]') with &&,
        daterange(valid_from, valid_to) with &&
    )
);
comment on table directory.number_ranges is 'DDI ranges in E.164, both ends included.';

create table directory.account_codes (
    pbx_id text not null,
    account_code text not null,
    service_id text not null references directory.services,
    valid_from date not null,
    valid_to date not null default 'infinity',
    check (valid_from < valid_to),
    exclude using gist (pbx_id with =, account_code with =, daterange(valid_from, valid_to) with &&)
);

create table directory.trunks (
    pbx_id text not null,
    trunk text not null,
    service_id text not null references directory.services,
    valid_from date not null,
    valid_to date not null default 'infinity',
    check (valid_from < valid_to),
    exclude using gist (pbx_id with =, trunk with =, daterange(valid_from, valid_to) with &&)
);

create table directory.destinations (
    destination_id text primary key,
    destination_name text not null,
    destination_class text not null
);
comment on column directory.destinations.destination_class is
    'The line of the invoice: national, mobile, international, special, free, emergency, ...';

create table directory.tariffs (
    tariff_id text primary key,
    tariff_name text not null,
    currency text not null,
    country text not null,
    time_zone text not null,
    rounding text not null default 'per_line' check (rounding in ('per_line', 'per_call')),
    rounding_decimals int not null default 2 check (rounding_decimals between 0 and 6)
);

create table directory.tariff_versions (
    tariff_version_id int generated always as identity primary key,
    tariff_id text not null references directory.tariffs,
    version text not null,
    valid_from date not null,
    valid_to date not null default 'infinity',
    check (valid_from < valid_to),
    unique (tariff_id, version),
    exclude using gist (tariff_id with =, daterange(valid_from, valid_to) with &&)
);
comment on table directory.tariff_versions is 'Days are civil days of the tariff''s time zone (R16).';

create table directory.rates (
    rate_id int generated always as identity primary key,
    tariff_version_id int not null references directory.tariff_versions on delete cascade,
    namespace text not null default 'e164',
    prefix text not null,
    destination_id text not null references directory.destinations,
    connection_fee numeric(18, 6) not null default 0 check (connection_fee >= 0),
    first_increment_seconds int not null default 1 check (first_increment_seconds >= 0),
    next_increment_seconds int not null default 1 check (next_increment_seconds > 0),
    price_per_minute numeric(18, 6) not null check (price_per_minute >= 0),
    minimum_charge numeric(18, 6) check (minimum_charge >= 0),
    maximum_charge numeric(18, 6) check (maximum_charge >= 0),
    unique (tariff_version_id, namespace, prefix),
    check (prefix ~ '^[0-9]+$')
);
comment on column directory.rates.namespace is
    'e164 (prefix without +, longest match), or short_<country> such as short_FR (whole number, R6).';

create table directory.tariff_assignments (
    side text not null check (side in ('sale', 'cost')),
    owner_kind text not null check (owner_kind in ('service', 'pbx', 'carrier')),
    owner_id text not null,
    tariff_id text not null references directory.tariffs,
    valid_from date not null,
    valid_to date not null default 'infinity',
    check (valid_from < valid_to),
    check ((side = 'sale' and owner_kind = 'service') or (side = 'cost' and owner_kind in ('pbx', 'carrier'))),
    exclude using gist (side with =, owner_kind with =, owner_id with =, daterange(valid_from, valid_to) with &&)
);

create table directory.loads (
    load_id int generated always as identity primary key,
    loaded_at timestamptz not null default now(),
    dag_run_id text,
    files jsonb not null,
    rows_by_table jsonb not null
);
comment on table directory.loads is 'One row per accepted load of include/directory/: which files (sha256) and how many rows.';

grant usage on schema directory to tollhouse_loader, tollhouse_dbt, tollhouse_billing;
grant select, insert, update, delete on all tables in schema directory to tollhouse_loader;
grant usage on all sequences in schema directory to tollhouse_loader;
grant select on all tables in schema directory to tollhouse_dbt, tollhouse_billing;
