"""How far PyTorch's own mixed precision is from float64, on a fixture of `gpt2 verify`: what `--precision f16` is compared with.

    python3 bench/peers/pytorch-autocast.py <fixture directory> [--device cpu] [--scale 1024]

One forward and backward pass of the first batch under torch.autocast in f16 and bf16. Prints one JSON object each: the loss'
relative error, the logits' relative L2 distance and that of the worst gradient, by name.
"""

import argparse
import json

import torch
from safetensors.torch import load_file
from transformers import GPT2LMHeadModel

parser = argparse.ArgumentParser()
parser.add_argument("fixture")
parser.add_argument("--device", default="cpu")
parser.add_argument("--scale", type=float, default=1024.0)
args = parser.parse_args()

inputs = load_file(f"{args.fixture}/inputs.safetensors")
expected = load_file(f"{args.fixture}/expected.safetensors")
model = GPT2LMHeadModel.from_pretrained(args.fixture, attn_implementation="eager").float().to(args.device).train()
for module in model.modules():
    if isinstance(module, torch.nn.Dropout):
        module.p = 0.0
tokens, mask, labels = (inputs[name][0].long().to(args.device) for name in ("tokens", "attention_mask", "labels"))
real = mask.bool()


def distance(got, wanted):
    wanted = wanted.double().to(args.device)
    return ((got.double() - wanted).norm() / wanted.norm()).item()


for dtype in (torch.float16, torch.bfloat16):
    model.zero_grad()
    with torch.autocast(args.device, dtype=dtype):
        logits = model(input_ids=tokens, attention_mask=mask).logits
    shifted = logits[:, :-1].float()
    loss = torch.nn.functional.cross_entropy(
        shifted.reshape(-1, shifted.shape[-1]), labels[:, 1:].reshape(-1), ignore_index=-100
    )
    (loss * args.scale).backward()
    errors = {
        name: distance(parameter.grad / args.scale, expected[key])
        for name, parameter in model.named_parameters()
        for key in (f"grad.{name}", f"grad.{name.removeprefix('transformer.')}")
        if key in expected
    }
    worst = max(errors, key=errors.get)
    row = {
        "system": f"PyTorch {torch.__version__} autocast {str(dtype).removeprefix('torch.')}",
        "device": args.device,
        "loss": abs(loss.item() / expected["loss"].item() - 1),
        "logits": distance(logits[real], expected["logits"].to(args.device)[real]),
        "worst_gradient": errors[worst],
        "of": worst,
    }
    print(json.dumps(row))
