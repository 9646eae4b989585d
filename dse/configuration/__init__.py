"""Hydra's side: configurations are found, composed, checked, and each number knows its source."""
