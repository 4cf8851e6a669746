-- A re-import of the directory never rewrites a closed period (R18): the loader sees which months are closed, and no amounts.

create view directory.closed_months as
select distinct
    invoices.issuer_id,
    invoices.service_id,
    invoices.billing_month,
    daterange(
        invoices.billing_month, (invoices.billing_month + interval '1 month')::date
    ) as days
from billing.invoices as invoices
where invoices.type_code = '380';
comment on view directory.closed_months is
    'The months of each service that an issued invoice has closed, as civil days of the issuer''s billing time zone.';

grant select on directory.closed_months to tollhouse_loader, tollhouse_dbt, tollhouse_billing;
