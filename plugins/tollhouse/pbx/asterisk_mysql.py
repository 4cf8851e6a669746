"""Asterisk with its cdr table in MySQL or MariaDB: set-up guide."""

from tollhouse.pbx import Framing, Model, TableDefaults

MODEL = Model(
    model_id="asterisk_mysql",
    title="Asterisk (cdr in MySQL or MariaDB)",
    transports=("sql_table",),
    framing=Framing(kind="json_rows"),
    encoding="utf-8",
    table=TableDefaults(table="cdr", key="id", port=3306),
)
