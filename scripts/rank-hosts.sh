#!/usr/bin/env bash
# Two hosts on one machine: `bash scripts/rank-hosts.sh WORDS...` runs `gpt2 WORDS...` on two ranks, each in a network namespace of its own, joined by
# a bridge on which each sends 1 Gbit/s at most (tc). MPICH starts them; UCX may use nothing but the network. As root on Linux, after `npm run build`.
set -u
program=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)/dist/bundle/gpt2.js
bridge=gpt2-bridge
clean_up() {
  # A namespace takes its devices along some time after it is gone; the next run wants their names.
  for host in 1 2; do ip link del "gpt2-veth$host" 2>/dev/null; done
  for host in 1 2; do ip netns del "gpt2-host$host" 2>/dev/null; done
  ip link del "$bridge" 2>/dev/null
  rm -f "$agent"
}
agent=$(mktemp)
trap clean_up EXIT
# Hosts that are not there would be waited for, for ever.
set -e
ip link add "$bridge" type bridge
ip addr add 10.77.0.254/24 dev "$bridge"
ip link set "$bridge" up
for host in 1 2; do
  space=gpt2-host$host
  ip netns add "$space"
  ip link add "gpt2-veth$host" type veth peer name eth0 netns "$space"
  ip link set "gpt2-veth$host" master "$bridge" up
  ip -n "$space" addr add "10.77.0.$host/24" dev eth0
  ip -n "$space" link set eth0 up
  ip -n "$space" link set lo up
  for side in "tc" "ip netns exec $space tc"; do
    device=eth0
    [ "$side" = tc ] && device=gpt2-veth$host
    $side qdisc add dev "$device" root tbf rate 1gbit burst 256kb latency 50ms
  done
done
# What MPICH calls in place of ssh: the host's number picks the namespace.
cat >"$agent" <<'AGENT'
#!/usr/bin/env bash
while [[ "$1" == -* ]]; do shift; done
host=$1
shift
exec ip netns exec "gpt2-host${host##*.}" sh -c "$*"
AGENT
chmod +x "$agent"
UCX_TLS=tcp,self UCX_NET_DEVICES=eth0 MPIR_CVAR_NOLOCAL=1 mpirun.mpich -launcher ssh -launcher-exec "$agent" \
  -localhost 10.77.0.254 -hosts 10.77.0.1,10.77.0.2 -n 2 node "$program" "$@"
