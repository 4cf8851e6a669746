{{ config(
    materialized='view',
    grants={'+select': ['analyst']},
) }}

with services as (
    select * from {{ source('directory', 'services') }}
),

customers as (
    select * from {{ source('directory', 'customers') }}
),

issuers as (
    select * from {{ source('directory', 'issuers') }}
),

final as (
    select
        services.service_id,
        services.service_name,
        services.customer_id,
        customers.legal_name as customer_name,
        services.issuer_id,
        issuers.legal_name as issuer_name,
        services.vat_regime,
        services.vat_rate_percent,
        issuers.currency,
        issuers.billing_time_zone,
        services.is_billable
    from services
    inner join customers
        on services.customer_id = customers.customer_id
    inner join issuers
        on services.issuer_id = issuers.issuer_id
)

select * from final
