-- Aastra and Mitel A5000 (NeXspan, MC6500), formats V1 and V2: a line a ticket, as far as is known.
with final as (
    {{ captured_tickets('aastra_a5000', source('raw', 'tickets'), source('raw', 'deliveries')) }}
)

select * from final
