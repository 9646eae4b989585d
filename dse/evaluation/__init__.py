"""One candidate, answered: mappings, passes, schedules, energy, cost, and the best mapping of a batch."""
