"""A shop that takes one order at a time."""
