#!/usr/bin/env bash
# Run once by the PostgreSQL image on an empty volume: the two databases and their owners, neither a superuser.
set -euo pipefail

psql --set ON_ERROR_STOP=1 --username postgres \
    --set owner_password="$TOLLHOUSE_OWNER_PASSWORD" --set airflow_password="$AIRFLOW_DATABASE_PASSWORD" <<'SQL'
create role tollhouse_owner login createrole password :'owner_password';
create database tollhouse owner tollhouse_owner;
create role airflow login password :'airflow_password';
create database airflow owner airflow;
SQL
