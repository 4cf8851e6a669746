{{ config(
    materialized='by_batch',
    tags=['build'],
    indexes=[{'columns': ['batch_id']}, {'columns': ['started_at']}],
    before_delete=['put_by_invoiced_tickets'],
    after_insert=[
        'analyze_when_grown', 'reject_cut_tickets', 'settle_asterisk_clocks', 'settle_asterisk_channels', 'mark_duplicates',
        'supersede_regenerated', 'settle_repeated_hours', 'keep_invoiced_tickets',
    ],
) }}
{#- One line per model of PBX that has SQL of its own: this list is the registry. -#}
{%- set staging_views = [
    ref('stg_aastra_a400__tickets'),
    ref('stg_alcatel_oxe__tickets'),
    ref('stg_asterisk_csv__tickets'),
    ref('stg_asterisk_mysql__tickets'),
    ref('stg_avaya_ipoffice__tickets'),
    ref('stg_cisco_cucm__tickets'),
    ref('stg_fonisk__tickets'),
    ref('stg_grandstream_ucm__tickets'),
    ref('stg_itneo__tickets'),
    ref('stg_mitel_3300__tickets'),
    ref('stg_panasonic_kx__tickets'),
    ref('stg_shoretel__tickets'),
    ref('stg_siemens_hipath__tickets'),
    ref('stg_telnowedge__tickets'),
    ref('stg_threecx__tickets'),
    ref('stg_unify_openscape__tickets'),
    ref('stg_wazo__tickets'),
] -%}
{#- The models that are read by declared layouts: their views are made of include/layouts. -#}
{%- for model_id in env_var('TOLLHOUSE_DBT_LAYOUTS', '').split(',') if model_id -%}
{%- do staging_views.append(ref('stg_' ~ model_id ~ '__tickets')) -%}
{%- endfor -%}

with tickets as (
    {%- for staging_view in of_models_to_build(staging_views) %}
    select * from {{ staging_view }}
    {%- if not loop.last %}

    union all
    {% endif %}
    {%- endfor %}
),

final as (
    select tickets.*
    from tickets
    where tickets.batch_id = any({{ batches_to_build() }})
)

select * from final
