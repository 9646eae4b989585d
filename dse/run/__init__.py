"""What any command needs: the terminal, the log, and the files that a kill must not hurt."""
