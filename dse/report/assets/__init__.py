"""What the report is made of: the page, its style, its charts, its markup and the study in display units."""
