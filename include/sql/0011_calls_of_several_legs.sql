-- Calls of several legs have a table of their own now, and fct_calls is a view of it and of the legs. Batches that were built before
-- are opened again, once, so that the next build writes those calls there.
update raw.batches set built_at = null;
