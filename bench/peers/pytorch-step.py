"""A training step of GPT-2 124M in PyTorch, to stand beside `gpt2 bench step`: forward, backward, clipping, AdamW.

    python3 bench/peers/pytorch-step.py [--device cuda] [--batch 4] [--context 1024] [--steps 20] [--out FILE]

bf16 autocast and f32 (with and without TF32 where the device has it), eager, and with --compile bf16 by torch.compile as nanoGPT
has it; dropout off, weights at random: what is measured is time. --shape nanogpt: L4 H4 C128 V65 B12 T64. Prints one JSON object a measurement, in the fields of `gpt2 bench --json`.
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
parser.add_argument("--shape", choices=["gpt2", "nanogpt"], default="gpt2")
parser.add_argument("--compile", action="store_true")
parser.add_argument("--out")
arguments = parser.parse_args()
NANOGPT = dict(n_layer=4, n_head=4, n_embd=128, n_positions=64, vocab_size=65)
nanogpt = arguments.shape == "nanogpt"
batch, context = (12, 64) if nanogpt else (arguments.batch, arguments.context)
device = torch.device(arguments.device)
name = torch.cuda.get_device_name() if device.type == "cuda" else "CPU"


def wait() -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def measure(precision: str, compiled: bool = False) -> dict:
    torch.manual_seed(1)
    torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
    shape = NANOGPT if nanogpt else dict(n_layer=arguments.layers)
    config = GPT2Config(**shape, resid_pdrop=0, embd_pdrop=0, attn_pdrop=0)
    model = GPT2LMHeadModel(config).to(device)
    forward = torch.compile(model) if compiled else model
    decayed = [p for p in model.parameters() if p.dim() >= 2]
    rest = [p for p in model.parameters() if p.dim() < 2]
    groups = [{"params": decayed, "weight_decay": 0.1}, {"params": rest, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.99), fused=device.type == "cuda")
    ids = torch.randint(config.vocab_size, (batch, context + 1), device=device)
    inputs, labels = ids[:, :-1].contiguous(), ids[:, 1:].reshape(-1)

    def step() -> None:
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"):
            logits = forward(inputs, use_cache=False).logits
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
        "work": f"step {arguments.shape} L{config.n_layer} B{batch} T{context}",
        "system": f"PyTorch {torch.__version__}, transformers {transformers.__version__}, {'compiled' if compiled else 'eager'} {precision}",
        "device": name,
        "median_ms": round(median, 3),
        "best_ms": round(min(times), 3),
        "samples": len(times),
        "tokens_per_s": round(1000 * batch * context / median, 1),
    }


rows = []
works = [("bf16", False), ("tf32", False), ("f32", False)] if device.type == "cuda" else [("f32", False), ("bf16", False)]
if arguments.compile:
    works.append(("bf16", True))
for work in works:
    rows.append(measure(*work))
    print(json.dumps(rows[-1]), flush=True)
if arguments.out:
    with open(arguments.out, "w") as file:
        json.dump(rows, file, indent=1)
