"""Reads and replaces files: text, tables with the place of every key, entries of secrets files."""
