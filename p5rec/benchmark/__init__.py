"""Suites: a recipe and its rivals on a public data set, under one protocol and one clock."""
