"""The searches: exact, sampled, bred, by slopes; on one machine or many."""
