"""Sampling from GPT-2 124M by transformers' generate, to stand beside `gpt2 bench generate`: prompts of 8 tokens, 48 more.

    python3 bench/peers/pytorch-generate.py [--device cuda] [--samples 5] [--out FILE]

Weights at random, no end token: what is measured is time. As `gpt2 bench generate` does, a token's time is that of all after
the first. Prints one JSON object a measurement, in the fields of `gpt2 bench --json`.
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
parser.add_argument("--samples", type=int, default=5)
parser.add_argument("--layers", type=int, default=12)
parser.add_argument("--out")
arguments = parser.parse_args()
device = torch.device(arguments.device)
name = torch.cuda.get_device_name() if device.type == "cuda" else "CPU"
PROMPT, NEW = 8, 48


def timed(model: GPT2LMHeadModel, ids: torch.Tensor, tokens: int) -> float:
    began = time.perf_counter()
    kept = model.generate(
        ids,
        attention_mask=torch.ones_like(ids),
        do_sample=True,
        top_k=50,
        max_new_tokens=tokens,
        min_new_tokens=tokens,
        eos_token_id=None,
        pad_token_id=0,
    )
    kept.cpu()
    return 1000 * (time.perf_counter() - began)


@torch.no_grad()
def measure(dtype: torch.dtype, batch: int) -> dict:
    torch.manual_seed(1)
    model = GPT2LMHeadModel(GPT2Config(n_layer=arguments.layers)).to(device, dtype).eval()
    ids = torch.randint(model.config.vocab_size, (batch, PROMPT), device=device)
    timed(model, ids, NEW)
    timed(model, ids, 1)
    firsts, rest = [], []
    for _ in range(arguments.samples):
        firsts.append(timed(model, ids, 1))
        rest.append((timed(model, ids, NEW) - firsts[-1]) / (NEW - 1))
    token = statistics.median(rest)
    return {
        "work": f"generate gpt2 124M, {batch} {'sequence' if batch == 1 else 'sequences'} of {PROMPT} + {NEW} tokens",
        "system": f"PyTorch {torch.__version__}, transformers {transformers.__version__} generate, {str(dtype)[6:]}",
        "device": name,
        "median_ms": round(token, 4),
        "samples": len(rest),
        "tokens_per_s": round(1000 * batch / token, 1),
        "first_token_ms": round(statistics.median(firsts), 3),
    }


rows = []
for dtype in [torch.float32, torch.bfloat16]:
    for batch in [1, 8]:
        rows.append(measure(dtype, batch))
        print(json.dumps(rows[-1]), flush=True)
if arguments.out:
    with open(arguments.out, "w") as file:
        json.dump(rows, file, indent=1)
