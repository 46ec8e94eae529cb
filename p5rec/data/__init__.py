"""Events, items and users: reading, checking, splitting; no torch in here."""
