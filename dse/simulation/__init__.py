"""A trace served request by request."""
