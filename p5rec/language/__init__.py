"""Explanations and requests in plain words."""
