def page(found, content): return ""
