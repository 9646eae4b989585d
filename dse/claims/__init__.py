"""Published claims held against the model."""
