"""What is written from the code and the configurations: reference, catalogue, schemas, checks, speed."""
