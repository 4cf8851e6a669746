"""Layouts to SQL: what include/layouts/*.yml says as the query of a staging view.

The query has the columns of the contract, in their order. It reads like a staging view that was
written by hand and has the same speed; its only Jinja are sources and the macros of staging views.
"""

from tollhouse.layouts.compiling.fields import compile_fields
from tollhouse.layouts.compiling.tickets import compile_tickets

__all__ = ["compile_fields", "compile_tickets"]
