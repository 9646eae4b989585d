"""What a study leaves: its files, its page, its charts and tables."""
