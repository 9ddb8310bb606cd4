"""What bench/peers/cpu.mjs measures of PyTorch on the CPU: a line of JSON asks for one run of a work, a line answers with its time.

GPT-2 is transformers' where it is installed, and else the same model written here, with attention as transformers' eager one. A step
is forward, backward, clipping and AdamW; a token is decoded greedily with a cache of keys and values. "trainer" is a step of
transformers' Trainer, "generate" a token of its generate. Weights are random.
"""

import json
import sys
import tempfile
import threading
import time

import torch
import torch.nn.functional as F
from torch import nn

try:
    import transformers
except ImportError:
    transformers = None


class Block(nn.Module):
    def __init__(self, width, heads, bias, tanh):
        super().__init__()
        self.heads, self.tanh = heads, tanh
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.proj = nn.Linear(width, 3 * width, bias=bias), nn.Linear(width, width, bias=bias)
        self.fc, self.out = nn.Linear(width, 4 * width, bias=bias), nn.Linear(4 * width, width, bias=bias)

    def forward(self, x, mask, past):
        batch, places, width = x.shape
        split = (batch, places, self.heads, width // self.heads)
        q, k, v = [part.view(split).transpose(1, 2) for part in self.qkv(self.ln_1(x)).split(width, 2)]
        if past is not None:
            k, v = torch.cat([past[0], k], 2), torch.cat([past[1], v], 2)
        scores = (q @ k.transpose(-2, -1)) * (width // self.heads) ** -0.5
        if mask is not None:
            scores = torch.where(mask, scores, torch.finfo(scores.dtype).min)
        x = x + self.proj((scores.softmax(-1) @ v).transpose(1, 2).reshape(batch, places, width))
        return x + self.out(F.gelu(self.fc(self.ln_2(x)), approximate="tanh" if self.tanh else "none")), (k, v)


class Gpt2(nn.Module):
    def __init__(self, layers, heads, width, context, vocabulary, bias, tanh):
        super().__init__()
        self.wte, self.wpe = nn.Embedding(vocabulary, width), nn.Embedding(context, width)
        self.h = nn.ModuleList([Block(width, heads, bias, tanh) for _ in range(layers)])
        self.ln_f = nn.LayerNorm(width)
        for parameter in self.parameters():
            if parameter.dim() > 1:
                nn.init.normal_(parameter, std=0.02)

    def forward(self, ids, past=None):
        places, before = ids.shape[1], 0 if past is None else past[0][0].shape[2]
        mask = torch.ones(places, places, dtype=torch.bool).tril() if past is None else None
        x = self.wte(ids) + self.wpe(torch.arange(before, before + places))
        present = []
        for i, block in enumerate(self.h):
            x, kept = block(x, mask, None if past is None else past[i])
            present.append(kept)
        return F.linear(self.ln_f(x), self.wte.weight), present


def theirs(given):
    """transformers' GPT-2."""
    torch.manual_seed(1)
    sizes = [given[name] for name in ("layers", "heads", "width", "context", "vocabulary")]
    names = dict(zip(("n_layer", "n_head", "n_embd", "n_positions", "vocab_size"), sizes))
    config = transformers.GPT2Config(
        **names, resid_pdrop=0, embd_pdrop=0, attn_pdrop=0, bos_token_id=None, eos_token_id=None
    )
    return transformers.GPT2LMHeadModel(config)


def model_of(given):
    if transformers is None or not given["bias"]:
        torch.manual_seed(1)
        sizes = [given[name] for name in ("layers", "heads", "width", "context", "vocabulary")]
        return Gpt2(*sizes, given["bias"], given["tanh"])
    model = theirs(given)

    def forward(ids, past=None):
        result = model(ids, past_key_values=past, use_cache=past is not None or not model.training)
        return result.logits, result.past_key_values

    forward.parameters = model.parameters
    return forward


def product(given):
    a, b = torch.randn(given["size"], given["size"]), torch.randn(given["size"], given["size"])
    return lambda: a @ b


def step(given):
    model = model_of(given)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.99), weight_decay=0.1)
    ids = torch.randint(given["vocabulary"], (given["batch"], given["places"] + 1))
    inputs, labels = ids[:, :-1].contiguous(), ids[:, 1:].reshape(-1)

    def run():
        loss = F.cross_entropy(model(inputs)[0].view(-1, given["vocabulary"]), labels)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return float(loss)

    return run


def decode(given):
    """Milliseconds a token are those of `tokens` tokens behind a prompt, which is not counted."""
    model = model_of(given)
    prompt = torch.randint(given["vocabulary"], (given["batch"], given["places"]))

    def run():
        with torch.no_grad():
            logits, past = model(prompt)
            begun = time.perf_counter()
            for _ in range(given["tokens"]):
                logits, past = model(logits[:, -1:].argmax(-1), past)
            return (time.perf_counter() - begun) / given["tokens"]

    return run


def trainer(given):
    """A step of Trainer, as its callbacks see it: it waits at the beginning of each until one is asked for."""
    asked, done = threading.Semaphore(0), threading.Semaphore(0)

    class Gate(transformers.TrainerCallback):
        def on_step_begin(self, *_, **__):
            asked.acquire()

        def on_step_end(self, *_, **__):
            done.release()

    rows = torch.randint(given["vocabulary"], (64 * given["batch"], given["places"]))
    settings = transformers.TrainingArguments(
        output_dir=tempfile.mkdtemp(),
        per_device_train_batch_size=given["batch"],
        max_steps=1_000_000,
        learning_rate=1e-3,
        weight_decay=0.1,
        adam_beta2=0.99,
        use_cpu=True,
        dataloader_pin_memory=False,
        disable_tqdm=True,
        report_to=[],
        save_strategy="no",
        logging_strategy="no",
    )
    dataset = [{"input_ids": row, "labels": row} for row in rows]
    made = transformers.Trainer(theirs(given), settings, train_dataset=dataset, callbacks=[Gate()])
    threading.Thread(target=made.train, daemon=True).start()

    def run():
        asked.release()
        done.acquire()

    return run


def generate(given):
    """Milliseconds a token: of all after the first, which the prompt's cost is part of."""
    model = theirs(given).eval()
    prompt = torch.randint(given["vocabulary"], (given["batch"], given["places"]))

    def timed(tokens):
        begun = time.perf_counter()
        model.generate(prompt, attention_mask=torch.ones_like(prompt), do_sample=False, pad_token_id=0,
                       max_new_tokens=tokens, min_new_tokens=tokens)
        return time.perf_counter() - begun

    return lambda: (timed(given["tokens"] + 1) - timed(1)) / given["tokens"]


torch.set_num_threads(int(sys.argv[1]))
WORKS = {"product": product, "step": step, "decode": decode, "trainer": trainer, "generate": generate}
made = {}
name = f"PyTorch {torch.__version__}, " + (f"transformers {transformers.__version__}" if transformers else "GPT-2 by hand")
print(json.dumps({"name": name}), flush=True)
for line in sys.stdin:
    given = json.loads(line)
    if given["kind"] in ("trainer", "generate") and transformers is None:
        print(json.dumps({"failed": "Python has no transformers"}), flush=True)
        continue
    if line not in made:
        made[line] = WORKS[given["kind"]](given)
    begun = time.perf_counter()
    result = made[line]()
    took = result if given["kind"] in ("decode", "generate") else time.perf_counter() - begun
    print(json.dumps({"ms": 1000 * took}), flush=True)
