"""The collector: an always-on service that spools the tickets of PBXs that speak over TCP.

``segment`` is the layout of the spool's files, ``spool`` reads them (the extract DAG does) and
``spool_writer`` writes and repairs them (the collector alone does). ``stream`` is the life of one
PBX: it dials, or ``listening`` receives it; ``conversation`` is one connection, in which one of the
``dialogues`` speaks, and ``spool_feed`` takes what it heard. ``service`` runs all of them and
``health`` tells people how they are. None of them needs Airflow or a database.
"""
