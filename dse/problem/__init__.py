"""What a search asks of: the space, its designs, and their answers in batches."""
