#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Adapter for a comparison harness: writes a configuration for the mode asked for and runs the gateway
# in the foreground. `version`, `features`, `start`; what each mode means is told by the environment
# (PORT, TLS_PORT, CERT, KEY, AUX_PORT, BACKENDS, MODE, ROUTES, SERVICE, CONSUL_HTTP, RUN_DIR, CPU).
set -eu
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
BIN=${FRONTDESK_BIN:-$ROOT/build/release/frontdesk}
case $1 in
version) [ -x "$BIN" ] && "$BIN" --version; exit ;;
features) echo h1 pool tls h2 routes failover discovery; exit ;;
start) ;;
*) exit 2 ;;
esac
C=$RUN_DIR/conf.d
mkdir -p "$C"
list() { printf '['; sep=; for b in $BACKENDS; do printf '%s"%s"' "$sep" "$b"; sep=,; done; printf ']'; }
{
  # What a user has by default stays on: breaker, ejection, statistics, metrics, limits, headers.
  echo "workers: 1"
  echo "listeners:"
  echo "  - {address: \"127.0.0.1:$PORT\"}"
  if [ -n "${TLS_PORT:-}" ]; then
    echo "  - {address: \"127.0.0.1:$TLS_PORT\", tls: {certificates: [{cert: \"$CERT\", key: \"$KEY\"}]}}"
  fi
  echo "admin: {address: \"127.0.0.1:$AUX_PORT\"}"
  echo "limits: {keepalive_timeout: 600s, header_timeout: 600s, connections: 32768, body: unlimited}"
  case $MODE in
  basic)
    echo "services: {web: {instances: $(list)}}"
    echo "routes: [{path: /, service: web}]" ;;
  failover)
    echo "services:"
    echo "  web:"
    echo "    instances: $(list)"
    echo "    balance: least_request"
    echo "    first_byte_timeout: 1s"
    echo "    connect_timeout: 300ms"
    echo "    outlier: {consecutive_failures: 2, base_ejection: 5s}"
    echo "    retries: {attempts: 3, on: [connect_failed, connect_timeout, upstream_reset, upstream_timeout, upstream_invalid, \"500\", \"502\", \"503\", \"504\"]}"
    echo "routes: [{path: /, service: web}]" ;;
  routes)
    echo "services:"
    for ((i = 0; i < ROUTES; i++)); do printf '  svc%04d: {instances: %s}\n' $i "$(list)"; done
    echo "routes:"
    for ((i = 0; i < ROUTES; i++)); do printf '  - {path: /svc%04d/, service: svc%04d}\n' $i $i; done ;;
  discovery)
    echo "consul: {address: \"$CONSUL_HTTP\", expose: none}"
    echo "routes: [{path: /, service: $SERVICE}]" ;;
  esac
} > "$C/frontdesk.yaml"
exec taskset -c "$CPU" "$BIN" run -c "$C"
