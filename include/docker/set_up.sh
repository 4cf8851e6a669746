#!/usr/bin/env bash
# Run at each start before the other services: safe to repeat.
set -euo pipefail

tollhouse migrate
tollhouse deploy
airflow db migrate
airflow fab-db migrate
if ! airflow users list --output plain | grep -qw admin; then
    airflow users create --username admin --firstname Tollhouse --lastname Administrator \
        --email admin@example.invalid --role Admin --password "$AIRFLOW_ADMIN_PASSWORD"
fi
