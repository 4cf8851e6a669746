{{ config(
    materialized='view',
    grants={'+select': ['analyst']},
) }}

with destinations as (
    select * from {{ source('directory', 'destinations') }}
),

-- What costs nothing by the number plan has a destination without any tariff (R10).
of_number_plan as (
    select
        plan.destination_id,
        plan.destination_name,
        plan.destination_id as destination_class
    from (
        values
        ('emergency', 'Emergency'),
        ('free', 'Free number'),
        ('internal', 'Internal')
    ) as plan (destination_id, destination_name)
),

final as (
    select
        destination_id,
        destination_name,
        destination_class,
        false as is_of_number_plan
    from destinations

    union all

    select
        of_number_plan.destination_id,
        of_number_plan.destination_name,
        of_number_plan.destination_class,
        true as is_of_number_plan
    from of_number_plan
    where not exists (
        select from destinations
        where destinations.destination_id = of_number_plan.destination_id
    )
)

select * from final
