-- Alcatel-Lucent OXE over its hotel link (AHL): what came between two line ends.
with final as (
    {{ captured_tickets('alcatel_oxe_ahl', source('raw', 'tickets'), source('raw', 'deliveries')) }}
)

select * from final
