"""Tollhouse: call accounting and telecom billing from PBX tickets to invoices."""
