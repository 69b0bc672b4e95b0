"""Hands resolved values to other programs: as variables, in files, through templates, with their output redacted."""
