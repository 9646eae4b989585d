"""One machine looked at: its answer, description, drawing, curve, roofline, and what moves them."""
