#!/usr/bin/env bash
# What is worth most to know of this machine's GPU, in one go and within 8 minutes, the most worth first: whether the numbers are
# right on it, what kernels can rely on, how fast products, training steps and decoding are, and what PyTorch does on the same
# card. Each part has a time limit and a failing one does not stop the rest.
#
#   bash bench/gpu.sh [folder, runs/gpu by default] [size of the model, gpt2 by default; nanogpt or tiny to see that it works]
#
# Everything is in one file for whoever reads it next, <folder>/gpu.json, which is whole after every part. $GPT2_ADAPTER chooses
# another adapter: llvmpipe. Ends with one line a part and exits with 1 if any failed. Run `npm ci` before, which builds dist/.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

results=${1:-runs/gpu}
size=${2:-gpt2}
mkdir -p "$results"
rm -f "$results"/*.json "$results"/*.txt "$results"/*.jsonl
# Measured anew: what was found and tuned here before is left alone.
rm -rf "$results/cache"
export GPT2_CACHE="$PWD/$results/cache"
case $results in /*) export GPT2_CACHE="$results/cache" ;; esac
cli=(node dist/bundle/gpt2.js)
started=$SECONDS
budget=${GPT2_GPU_SECONDS:-480}
failed=0
summary=()

report() { node bench/gpu-report.mjs "$results" "$size"; }

# part <name> <seconds> <command...>: runs it, shows and keeps its output, notes how it ended.
part() {
  local name=$1 limit=$2 status verdict begun=$SECONDS left=$((budget - SECONDS + started))
  shift 2
  printf '\n== %s: %s\n' "$name" "$*"
  if [ "$left" -lt 5 ]; then
    status=124
  else
    timeout --kill-after=5 $((limit < left ? limit : left)) "$@" 2>&1 | tee "$results/${name// /-}.txt"
    status=${PIPESTATUS[0]}
  fi
  case $status in
    0) verdict=PASS ;;
    124 | 137) verdict="FAIL (out of time)" ;;
    *) verdict="FAIL (exit $status)" ;;
  esac
  [ "$status" -eq 0 ] || failed=$((failed + 1))
  summary+=("$verdict  $name, $((SECONDS - begun)) s")
  printf '%s\t%s\t%s\t%s\n' "$name" "$status" "$((SECONDS - begun))" "$*" >>"$results/parts.tsv"
  echo "-- ${summary[-1]}"
  report
}
rm -f "$results/parts.tsv"

versions() {
  node --version
  "${cli[@]}" --version
  git rev-parse --short HEAD 2>/dev/null
  uname -srm
  grep -m1 'model name' /proc/cpuinfo 2>/dev/null
  nvidia-smi --query-gpu=name,driver_version,memory.total,clocks.max.sm,clocks.max.mem --format=csv,noheader 2>/dev/null
  # Not finding these is no failure: on macOS and Windows there are none.
  ls /usr/share/vulkan/icd.d/*.json /etc/vulkan/icd.d/*.json /usr/local/*/share/vulkan/icd.d/*.json 2>/dev/null
  env | grep -E '^(VK_|GPT2_|MESA_)'
  return 0
}
export -f versions
part versions 20 bash -c "$(declare -p cli); versions"

# Right, before fast.
part verify 60 "${cli[@]}" verify
# Opening each adapter probes it; and a product's rate.
part devices 40 "${cli[@]}" devices
"${cli[@]}" devices --json >"$results/devices.json" 2>/dev/null
report
halves=0
node -e 'const { adapters } = JSON.parse(require("fs").readFileSync(process.argv[1], "utf8"));
const wanted = (process.env.GPT2_ADAPTER ?? "").toLowerCase();
const found = adapters.find((one) => one.verdict === "chosen") ?? adapters.find((one) => wanted && one.driver.toLowerCase().includes(wanted));
process.exit(found?.features.includes("shader-f16") ? 0 : 1)' "$results/devices.json" && halves=1
[ "$halves" -eq 1 ] && part "verify f16" 60 "${cli[@]}" verify --precision f16

quick=()
[ "$size" = gpt2 ] || quick=(--quick)
# bench <name> <seconds> <arguments...>: each row is printed as it is measured, so that a part that is cut short leaves some. The
# bash of macOS takes an empty list for an unset one.
bench() { part "$1" "$2" "${cli[@]}" bench "${@:3}" ${quick[@]+"${quick[@]}"} --json --out "$results/${1// /-}.json"; }
# step <precision>: where tuning takes too long, by the defaults.
step() {
  local before=$failed
  bench "step $1 tuned" 130 step --size "$size" --precision "$1" --tune
  [ "$failed" -eq "$before" ] || bench "step $1" 60 step --size "$size" --precision "$1"
}

bench products 90 kernels --only matmul
step f32
[ "$halves" -eq 1 ] && step f16
bench decoding 60 generate --size "$size" --tune
bench "decoding f16" 45 generate --size "$size" --precision f16
bench "decoding i8" 30 generate --size "$size" --precision i8 --quick

# On the same card, where it is installed.
if python3 -c 'import torch, transformers; assert torch.cuda.is_available()' 2>/dev/null; then
  part pytorch 60 python3 bench/peers/pytorch-step.py --out "$results/pytorch.json"
  part "pytorch generate" 60 python3 bench/peers/pytorch-generate.py --out "$results/pytorch-generate.json"
fi

# What is worth less, as long as there is time.
late() { [ $((budget - SECONDS + started)) -ge 15 ] && part "$@"; }
# A token with a long text behind it, by what keys and values are kept in.
if [ "$size" = gpt2 ]; then
  for bits in 32 16 8; do
    late "decoding long, $bits bits" 30 "${cli[@]}" bench generate --size gpt2 --precision f16 --kv-bits "$bits" --prompt-tokens 960 --quick --json --out "$results/decoding-long-$bits.json"
  done
fi
late "other kernels" 60 "${cli[@]}" bench kernels --quick --json --out "$results/other-kernels.json"
late gradcheck 60 "${cli[@]}" gradcheck --all
# The other libraries only where they are installed: see docs/performance.md.
[ -d bench/peers/node_modules ] && late "step with peers" 60 "${cli[@]}" bench step --size nanogpt --peers --json --out "$results/step-with-peers.json"

printf '\n== summary, %s s; all of it: %s\n' $((SECONDS - started)) "$results/gpu.json"
printf '%s\n' "${summary[@]}"
[ "$failed" -eq 0 ] || exit 1
