"""Opens a zip that the playground gave with transformers, and prints what the tests compare with.

    python -m venv venv && venv/bin/pip install torch transformers
    venv/bin/python scripts/page-model.py test/playground/fixtures/page-model.zip > test/playground/fixtures/page-model.json
"""

import json
import sys
import tempfile
import zipfile

import torch
import transformers

PROMPTS = ["a", "b", "cz", ""]
TEXTS = ["ax0", "by4", "cz6", "zzz"]

with tempfile.TemporaryDirectory() as folder:
    zipfile.ZipFile(sys.argv[1]).extractall(folder)
    model, report = transformers.AutoModelForCausalLM.from_pretrained(folder, output_loading_info=True)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
wrong = {name: sorted(map(str, keys)) for name, keys in report.items() if keys}
if wrong:
    sys.exit(f"transformers complains of the weights: {wrong}")
model.eval()

greedy = {}
for prompt in PROMPTS:
    ids = tokenizer(prompt, return_tensors="pt").input_ids
    out = model.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False, max_length=model.config.n_positions)
    greedy[prompt] = tokenizer.decode(out[0, ids.shape[1] :], skip_special_tokens=True)

# As a record: the start token before it, the end token after it.
losses = {}
for text in TEXTS:
    ids = torch.tensor([tokenizer(text).input_ids + [tokenizer.eos_token_id]])
    with torch.no_grad():
        losses[text] = model.double()(ids, labels=ids).loss.item()

print(
    json.dumps(
        {
            "transformers": transformers.__version__,
            "class": type(model).__name__,
            "tokenizer": type(tokenizer).__name__,
            "parameters": sum(p.numel() for p in model.parameters()),
            "ids": {text: tokenizer(text).input_ids for text in TEXTS},
            "greedy": greedy,
            "losses": losses,
        },
        indent=2,
    )
)
