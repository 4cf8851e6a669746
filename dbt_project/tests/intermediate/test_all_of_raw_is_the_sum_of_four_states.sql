-- The same over all batches ever built; for the night.
{{ config(tags=['full']) }}
{{ raw_without_state('select batch_id from ' ~ source('raw', 'batches') ~ ' where built_at is not null') }}
