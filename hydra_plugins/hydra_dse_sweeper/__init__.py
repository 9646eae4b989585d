"""`dse -m hydra/sweeper=dse`: one search over a space written in Hydra's override grammar."""
