"""Metrics, protocols, baselines, significance and the report; no torch."""
