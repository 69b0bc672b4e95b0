"""Predicates and checks of `differences.toml` for options and the chain; those for connections are in harness.py.

A predicate looks at what a case sets (files, variables, arguments), a check at what we answer. Where the design
has the answer follow from another rule than Airflow's (the newline of a command, a name in lower case), the check
works out that answer and compares.
"""

from . import arguments, chain, home, listings, masker, names, pointers  # noqa: F401  each registers its own
