"""Metrics, protocols, baselines, significance and the report; torch for SASRec alone."""
