"""Opens what a run wrote with those that its files are for, and compares it with metrics.jsonl.

    python -m venv venv && venv/bin/pip install tensorboard transformers numpy
    venv/bin/python scripts/open-run.py runs/emails-1

Either package may be missing; at least one must be there.
"""

import dataclasses
import json
import math
import pathlib
import sys


def same(a, b, bound):
    if a is None or b is None or math.isnan(a) or math.isnan(b):
        return (a is None or math.isnan(a)) and (b is None or math.isnan(b))
    return abs(a - b) <= bound * max(abs(a), abs(b))


def check_tensorboard(run, lines):
    import tensorboard
    from tensorboard.backend.event_processing import event_accumulator as ea

    events = ea.EventAccumulator(str(run / "tensorboard"), size_guidance={ea.SCALARS: 0, ea.TENSORS: 0})
    events.Reload()
    checked = 0
    for kind, fields in (
        ("log", {f: f"train/{f}" for f in ("loss", "grad_norm", "learning_rate", "epoch", "tokens_per_second")}),
        ("evaluation", {"eval_loss": "eval/loss", "eval_perplexity": "eval/perplexity"}),
    ):
        entries = [line for line in lines if line["kind"] == kind]
        for field, tag in fields.items() if entries else ():
            scalars = events.Scalars(tag)
            assert [s.step for s in scalars] == [e["step"] for e in entries], f"{tag}: other steps"
            for scalar, entry in zip(scalars, entries):
                assert same(scalar.value, entry[field], 1e-6), f"{tag}: step {scalar.step}"
            checked += len(scalars)
    samples = [line for line in lines if line["kind"] == "samples"]
    for index in range(min((len(line["samples"]) for line in samples), default=0)):
        texts = events.Tensors(f"samples/{index + 1}/text_summary")
        assert [t.step for t in texts] == [line["step"] for line in samples], "samples: other steps"
        checked += len(texts)
    print(f"tensorboard {tensorboard.__version__}: {checked} values, as in metrics.jsonl")


def check_trainer_state(run, lines):
    import transformers
    from transformers.trainer_callback import TrainerState

    paths = sorted(run.glob("checkpoint-*/trainer_state.json")) + sorted(run.glob("trainer_state.json"))
    fields = {field.name for field in dataclasses.fields(TrainerState)}
    for path in paths:
        assert set(json.loads(path.read_text())) == fields, f"{path}: other fields than TrainerState"
        state = TrainerState.load_from_json(str(path))
        for kind, field in (("log", "loss"), ("evaluation", "eval_loss")):
            wanted = [(e["step"], e[field]) for e in lines if e["kind"] == kind and e["step"] <= state.global_step]
            got = [(e["step"], e[field]) for e in state.log_history if field in e]
            assert got == wanted, f"{path}: {field} is not that of metrics.jsonl"
    assert paths, f"{run}: has no trainer_state.json"
    print(f"transformers {transformers.__version__}: {len(paths)} trainer_state.json, as metrics.jsonl")


def main():
    run = pathlib.Path(sys.argv[1])
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    missing = 0
    for check in (check_tensorboard, check_trainer_state):
        try:
            check(run, lines)
        except ModuleNotFoundError as error:
            print(f"not checked: {error}")
            missing += 1
    sys.exit(missing == 2)


main()
