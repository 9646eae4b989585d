"""What any command needs: the terminal, the log, what keys are and tasks leave, files that a kill must not hurt."""
