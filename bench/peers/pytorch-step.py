"""A training step of GPT-2 124M in PyTorch, to stand beside `gpt2 bench step`: forward, backward, clipping, AdamW.

    python3 bench/peers/pytorch-step.py [--device cuda] [--batch 4] [--context 1024] [--steps 20] [--out FILE]

Eager f32 (with and without TF32 where the device has it) and bf16 autocast, dropout off, weights at random: what is measured
is time. Prints one JSON object a measurement, in the fields of `gpt2 bench --json`.
"""

import argparse
import json
import statistics
import time

import torch
import transformers
from transformers import GPT2Config, GPT2LMHeadModel

parser = argparse.ArgumentParser()
parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
parser.add_argument("--batch", type=int, default=4)
parser.add_argument("--context", type=int, default=1024)
parser.add_argument("--layers", type=int, default=12)
parser.add_argument("--steps", type=int, default=20)
parser.add_argument("--out")
arguments = parser.parse_args()
device = torch.device(arguments.device)
name = torch.cuda.get_device_name() if device.type == "cuda" else "CPU"


def wait() -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def measure(precision: str) -> dict:
    torch.manual_seed(1)
    torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
    config = GPT2Config(n_layer=arguments.layers, resid_pdrop=0, embd_pdrop=0, attn_pdrop=0)
    model = GPT2LMHeadModel(config).to(device)
    decayed = [p for p in model.parameters() if p.dim() >= 2]
    rest = [p for p in model.parameters() if p.dim() < 2]
    groups = [{"params": decayed, "weight_decay": 0.1}, {"params": rest, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.99))
    ids = torch.randint(config.vocab_size, (arguments.batch, arguments.context + 1), device=device)
    inputs, labels = ids[:, :-1].contiguous(), ids[:, 1:].reshape(-1)

    def step() -> None:
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"):
            logits = model(inputs, use_cache=False).logits
        loss = torch.nn.functional.cross_entropy(logits.float().view(-1, config.vocab_size), labels)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()

    times = []
    for at in range(arguments.steps + 3):
        wait()
        began = time.perf_counter()
        step()
        wait()
        if at >= 3:
            times.append(1000 * (time.perf_counter() - began))
    median = statistics.median(times)
    return {
        "work": f"step gpt2 L{arguments.layers} B{arguments.batch} T{arguments.context}",
        "system": f"PyTorch {torch.__version__}, transformers {transformers.__version__}, eager {precision}",
        "device": name,
        "median_ms": round(median, 3),
        "best_ms": round(min(times), 3),
        "samples": len(times),
        "tokens_per_s": round(1000 * arguments.batch * arguments.context / median, 1),
    }


rows = []
for chosen in ["f32", "tf32", "bf16"] if device.type == "cuda" else ["f32", "bf16"]:
    rows.append(measure(chosen))
    print(json.dumps(rows[-1]), flush=True)
if arguments.out:
    with open(arguments.out, "w") as file:
        json.dump(rows, file, indent=1)
