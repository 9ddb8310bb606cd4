#!/usr/bin/env bash
# Everything worth knowing of this machine's GPU, in one go and within 8 minutes: what there is, whether the numbers are
# right on it, how fast it is. Each part has a time limit and a failing one does not stop the rest.
#
#   bash bench/gpu.sh [folder for what each part prints, runs/gpu by default]
#
# Ends with one line a part and exits with 1 if any failed. Run `npm ci` before, which builds dist/.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

results=${1:-runs/gpu}
mkdir -p "$results"
cli=(node dist/cli/main.js)
started=$SECONDS
budget=480
failed=0
summary=()

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
  echo "-- ${summary[-1]}"
}

# exists <command> [subcommand]: those that are not there are left out, not failed.
exists() {
  if [ $# -eq 2 ] && ! exists "$1"; then return 1; fi
  "${cli[@]}" "${@:1:$#-1}" --help 2>/dev/null | grep -qE "^  ${*: -1}( |$)"
}

versions() {
  node --version
  "${cli[@]}" --version
  git rev-parse --short HEAD 2>/dev/null
  uname -srm
  grep -m1 'model name' /proc/cpuinfo 2>/dev/null
  nvidia-smi --query-gpu=name,driver_version,memory.total,clocks.max.sm,clocks.max.mem --format=csv,noheader 2>/dev/null
  return 0
}

# Not finding these is no failure: on macOS and Windows there are none.
vulkan() {
  ldconfig -p 2>/dev/null | grep -i vulkan
  ls -l /usr/share/vulkan/icd.d/*.json /etc/vulkan/icd.d/*.json /usr/local/*/share/vulkan/icd.d/*.json 2>/dev/null
  env | grep -E '^(VK_|GPT2_|MESA_)'
  return 0
}
export -f versions vulkan

# Functions need a shell of their own, since `timeout` runs programs only.
in_shell() { part "$1" "$2" bash -c "$(declare -p cli); $1"; }

in_shell versions 20
in_shell vulkan 20
part devices 30 "${cli[@]}" devices
exists verify && part verify 60 "${cli[@]}" verify
# Mixed precision, on adapters that have it.
halves=0
"${cli[@]}" devices --json 2>/dev/null | grep -q '"shader-f16"' && halves=1
[ "$halves" -eq 1 ] && part "verify f16" 60 "${cli[@]}" verify --precision f16
exists gradcheck && part gradcheck 120 "${cli[@]}" gradcheck --all
# The other libraries only where they are installed: see docs/performance.md.
# The bash of macOS takes an empty list for an unset one.
peers=()
[ -d bench/peers/node_modules ] && peers=(--peers)
exists bench kernels && part "bench kernels" 150 "${cli[@]}" bench kernels --out "$results/kernels.json" ${peers[@]+"${peers[@]}"}
exists bench step && part "bench step" 120 "${cli[@]}" bench step --out "$results/step.json" ${peers[@]+"${peers[@]}"}
[ "$halves" -eq 1 ] && part "bench step f16" 90 "${cli[@]}" bench step --precision f16 --out "$results/step-f16.json"
# What the tuner chooses, and what that gains.
exists bench step && part "bench step tuned" 90 "${cli[@]}" bench step --tune --out "$results/step-tuned.json"
exists bench generate && part "bench generate" 60 "${cli[@]}" bench generate --out "$results/generate.json"

# PyTorch on the same card, where it is installed.
python3 -c 'import torch, transformers; assert torch.cuda.is_available()' 2>/dev/null &&
  part "pytorch step" 60 python3 bench/peers/pytorch-step.py --out "$results/pytorch-step.json"

printf '\n== summary, %s s\n' $((SECONDS - started))
printf '%s\n' "${summary[@]}"
[ "$failed" -eq 0 ] || exit 1
