-- Ericsson MD Evolution (CAL3, CAL4) and MD110: a line a ticket, as far as is known.
with final as (
    {{ captured_tickets('md_evolution', source('raw', 'tickets'), source('raw', 'deliveries')) }}
)

select * from final
