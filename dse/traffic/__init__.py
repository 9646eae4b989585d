"""Traces of requests: recorded, read from files, or synthetic."""
