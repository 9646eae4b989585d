"""A page on this machine that turns the knobs of a machine."""
