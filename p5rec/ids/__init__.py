"""Semantic IDs: the path of codes of each item, from coarse to fine."""
