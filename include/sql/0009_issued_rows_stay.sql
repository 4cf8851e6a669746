-- What is issued does not go either, row by row or a table at once (I1): 0004 refused changes, and deletes of some.

create trigger invoice_calls_kept before delete on billing.invoice_calls
for each row execute function billing.refuse_change();
create trigger invoices_not_truncated before truncate on billing.invoices
for each statement execute function billing.refuse_change();
create trigger invoice_lines_not_truncated before truncate on billing.invoice_lines
for each statement execute function billing.refuse_change();
create trigger invoice_calls_not_truncated before truncate on billing.invoice_calls
for each statement execute function billing.refuse_change();
create trigger gate_overrides_not_truncated before truncate on billing.gate_overrides
for each statement execute function billing.refuse_change();
