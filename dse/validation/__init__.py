"""The model held against what others measured, and the constants fitted on a part of it."""
