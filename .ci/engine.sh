# A container engine for the tests, out of Debian's packages, unpacked and not installed: nothing of the machine changes.
# Sourced by .ci/run. Where none starts, or containers do not run on this machine, the tests that need one skip and say so.

engine_home=
engine_pid=

start_engine() {
  [ -n "${DOCKER_HOST:-}" ] || [ -S /var/run/docker.sock ] && return 0
  [ "$(id -u)" = 0 ] && command -v dpkg >/dev/null || return 1
  engine_home=$(mktemp -d /tmp/kitchen-engine-XXXXXX)
  (
    cd "$engine_home" || exit 1
    apt-get download -qq docker.io containerd runc tini iptables libip4tc2 libip6tc2 libxtables12 libnftnl11 \
      libnetfilter-conntrack3 libnfnetlink0 libdevmapper1.02.1 || exit 1
    for package in *.deb; do dpkg -x "$package" root || exit 1; done
  ) >"$engine_home/log" 2>&1 || return 1
  local root=$engine_home/root
  # no rules of the machine's packet filter are touched, and no bridge of its own is made
  PATH=$root/usr/sbin:$root/usr/bin:$PATH LD_LIBRARY_PATH=$root/usr/lib/x86_64-linux-gnu:$root/lib/x86_64-linux-gnu \
    dockerd --data-root "$engine_home/data" --exec-root "$engine_home/exec" --pidfile "$engine_home/pid" \
    --host "unix://$engine_home/docker.sock" --storage-driver vfs --iptables=false --ip6tables=false --bridge none \
    --init-path "$root/usr/bin/tini-static" >>"$engine_home/log" 2>&1 &
  engine_pid=$!
  local socket=unix://$engine_home/docker.sock
  for _ in $(seq 100); do
    [ -S "$engine_home/docker.sock" ] && break
    kill -0 "$engine_pid" 2>/dev/null || return 1
    sleep 0.2
  done
  for _ in 1 2 3; do # that it answers does not say that containers run
    if DOCKER_HOST=$socket .venv/bin/python -m tests.contracts.images >>"$engine_home/log" 2>&1; then
      export DOCKER_HOST=$socket
      return 0
    fi
    sleep 1
  done
  return 1
}

stop_engine() {
  [ -n "$engine_pid" ] && kill "$engine_pid" 2>/dev/null && wait "$engine_pid" 2>/dev/null
  [ -n "$engine_home" ] && rm -rf "$engine_home"
  return 0
}
