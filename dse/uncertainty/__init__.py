"""How sure an answer is: beliefs, draws, bounds, chances, and what moves it."""
