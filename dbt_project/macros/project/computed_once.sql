{#-
    Begins a step (a CTE): its columns are computed once a row, however often the steps after it use them.

    PostgreSQL folds a step into the one that reads it and copies its expressions to every place that uses them, so that ten
    steps of parsing would be computed hundreds of times. It does not fold a query that has a CTE of its own, used or not; and,
    unlike after `offset 0` or `materialized`, filters (batch_id) still pass down through it to raw.tickets, and parallel workers may
    run it.
-#}
{% macro computed_once() -%}
with not_folded as (select)
{% endmacro %}
