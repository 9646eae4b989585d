"""What each key of the composed configuration is: a key that is added is one word here.

Of the keys that say what is searched and how it is done follow which words a command line that rebuilds one design
keeps, what a resumed search is held against, and what a run's log has of its command line.
"""

from __future__ import annotations

SECTIONS = ("hw", "model", "format", "serving", "scheduler")
SOMETIMES = ("prefill", "draft")  # sections that a configuration may leave empty

EVALUATED = (*SECTIONS, *SOMETIMES, "mapping")  # what one answer is of
SEARCHED = ("space", "objectives", "search", "seed", "robust", "spreads")  # what is looked for, on which answers hang
DONE = (  # how it is done, kept and shown
    "task", "scale", "resume", "reference", "run", "tracking", "hydra", "baselines", "suite", "data", "details",
    "studio",
)  # fmt: skip
NAMED = ("experiment", "title", "question")  # what it is called
SPOKEN = ("quiet", "output")  # how a run speaks, not what it is of
OF_A_TASK = ("claim", "out", "family", "write", "trace", "rate", "requests", "simulation", "elasticities")
KINDS = (EVALUATED, SEARCHED, DONE, NAMED, SPOKEN, OF_A_TASK)

COMPARED = (*EVALUATED, *SEARCHED)  # by a search that is gone on with
LEFT_OUT = (*SEARCHED, *DONE, *SPOKEN)  # of a command line that rebuilds a design
ELSEWHERE = (*NAMED, "task", "tracking", "hydra", "run", "out")  # in a log: said by something else than a parameter
SWITCHES = ("elasticities", "write", "quiet")  # true or false
