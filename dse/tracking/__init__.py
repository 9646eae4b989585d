"""Finished runs as MLflow shows them: what is logged, where to, and what one sees."""
