"""Declared layouts: a YAML file that says how the tickets of a PBX or a carrier are read.

A layout is a model without code. It is read and checked here, compiled to the SQL of a dbt staging
view, and from there on it is a model like every other one.
"""
