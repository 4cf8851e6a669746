-- Every raw row of the build is in one state, and nothing else is: a ticket lost or made up here is money lost or made up.
{{ config(tags=['build']) }}
{{ raw_without_state('select batch_id from ' ~ source('raw', 'batches_to_build')) }}
