"""Examples, batches and the training loop."""
