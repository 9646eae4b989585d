def drawing(name, format, figures):
    return "<svg/>"
