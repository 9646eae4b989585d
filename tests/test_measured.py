"""Measured end-to-end runs that nobody here made, against the model as configured; its error is printed."""

from __future__ import annotations

import equinox as eqx
import jax
import numpy as np
import pytest
from machines import mapping

from dse.evaluate import evaluate
from dse.measured import folder
from dse.problem import template

DATA = folder()
MODELS = {"Llama 3 8B": "llama3_8b", "Llama 3 70B": "llama3_70b", "Llama 2 70B": "llama2_70b"}


@pytest.mark.skipif(not (DATA / "end_to_end.csv.gz").is_file(), reason=f"no measurements in INFERSCAPE_DATA ({DATA})")
def test_static_batches_on_h100():
    """Whole static batches of Llama models in BF16 on one to four H100, tensor parallel, published by others.

    Nothing is fitted on these rows: the median may miss by 30 %, since two software stacks on the same machine differ
    by up to 1.65 times and software is a single assumed profile here.
    """
    import pandas as pd

    rows = pd.read_csv(DATA / "end_to_end.csv.gz", low_memory=False)
    rows = rows[
        rows.fully_specified & (rows.metric == "batch_latency") & rows.accelerator.str.contains("H100", na=False)
    ]
    rows = rows[rows.model_key.isin(MODELS) & (rows.tp == rows.n_accel) & (rows.precision == "fp16/bf16")]
    predict = jax.jit(evaluate)
    bases = {
        name: template(["hw=dgx_h100", f"model={name}", "format=bf16", "serving=interactive"]).candidate
        for name in MODELS.values()
    }
    errors = {}
    for row in rows.itertuples():
        candidate = eqx.tree_at(
            lambda c: (c.serving.prompt, c.serving.output),
            bases[MODELS[row.model_key]],
            (float(row.input_len), float(row.output_len)),
        )
        batch = float(row.batch_or_concurrency)
        metrics = predict(candidate, mapping(float(row.tp), batch=batch)).metrics
        seconds = batch * metrics.time_to_first_token + row.output_len * metrics.time_per_output_token
        errors.setdefault(row.model_key, []).append(float(seconds) * 1e3 / row.value - 1)
    for name, found in errors.items():
        spread = np.quantile(np.abs(found), 0.9)
        print(f"{name}: {len(found)} rows, median error {np.median(found):+.0%}, 90 % of them within {spread:.0%}")
    every = np.concatenate([*map(np.array, errors.values())])
    print(f"all: {len(every)} rows, median error {np.median(every):+.0%}")
    assert len(every) > 100
    assert np.median(np.abs(every)) < 0.30
