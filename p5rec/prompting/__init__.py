"""Templates, typed segments, rendering, and text as token ids."""
