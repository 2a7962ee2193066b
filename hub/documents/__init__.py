"""Receipts, slips and labels: from facts to a layout, and from a layout to pictures and pages."""
