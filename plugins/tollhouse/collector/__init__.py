"""The collector: an always-on service that spools the tickets of PBXs that speak over TCP.

``segment`` is the layout of the spool's files, ``spool`` reads them (the extract DAG does),
``spool_writer`` writes and repairs them (the collector alone does), ``stream`` talks to one PBX,
``service`` runs all of them and ``health`` tells people how they are. None of them needs Airflow or
a database.
"""
