"""What tells whether two tables are the same."""

from __future__ import annotations

import hashlib

import pyarrow as pa


def fingerprint(table: pa.Table) -> str:
    """SHA-256 of a table's columns and values."""
    digest = hashlib.sha256()
    digest.update(str(table.schema.remove_metadata()).encode())
    for batch in table.combine_chunks().to_batches():
        digest.update(batch.serialize())
    return digest.hexdigest()
