"""Whom a file is to be trusted from. One room holds the rule."""

from __future__ import annotations
