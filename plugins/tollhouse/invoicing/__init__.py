"""From rated calls to invoices: gates, numbers without a gap, frozen rows, PDF documents."""
