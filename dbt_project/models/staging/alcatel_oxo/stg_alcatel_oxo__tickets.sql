-- Alcatel OXO (OmniPCX Office, OXO Connect), files of the OLD driver: an XML element a ticket, as far as is known.
with final as (
    {{ captured_tickets('alcatel_oxo', source('raw', 'tickets'), source('raw', 'deliveries')) }}
)

select * from final
