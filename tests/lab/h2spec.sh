#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs h2spec (146 tests of HTTP/2 and HPACK, strict) against a pintled with one DoH listener. It is built once,
# by tests/lab/go.sh, below $PINTLE_CACHE. PINTLED names the daemon (default: build/pintled).
set -euo pipefail
cd "$(dirname "$0")/../.."

VERSION=v2.2.1+incompatible
cache=${PINTLE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/pintle}
h2spec=$cache/bin/h2spec
pintled=${PINTLED:-$PWD/build/pintled}
# www.t.example A: streams must have a body to be seen in all their states.
path="/dns-query?dns=AAABAAABAAAAAAAAA3d3dwF0B2V4YW1wbGUAAAEAAQ"

[ -x "$h2spec" ] || GOBIN=$cache/bin tests/lab/go.sh install "github.com/summerwind/h2spec/cmd/h2spec@$VERSION"

work=$(mktemp -d)
pid=
end() {
    [ -z "$pid" ] || { kill "$pid" && wait "$pid"; } || true
    rm -rf "$work"
}
trap end EXIT

mkdir "$work/c1"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$work/tls.key" -out "$work/tls.crt" \
    -days 2 -subj /CN=dns.t.example 2>/dev/null
chmod 600 "$work/tls.key"
cat >"$work/t.zone" <<'ZONE'
$TTL 300
@   SOA ns1 host 1 3600 600 86400 300
@   NS  ns1
ns1 A   127.0.0.1
www A   192.0.2.1
ZONE
cat >"$work/pintle.yaml" <<YAML
listen: [{address: 127.0.0.1:0, https: {certificate: tls.crt, key: tls.key}}]
zones: {files: [{zone: t.example, file: t.zone}]}
clusters: [{name: c1, directory: c1}]
shutdown: {lameduck: 0s}
workers: 1
YAML
"$pintled" --config "$work/pintle.yaml" --admin 127.0.0.1:0 2>"$work/log" &
pid=$!
port=
for _ in $(seq 100); do
    port=$(sed -n 's/.*answering DNS on 127\.0\.0\.1:\([0-9]*\) (https).*/\1/p' "$work/log")
    [ -z "$port" ] || break
    sleep 0.1
done
[ -n "$port" ] || { cat "$work/log" >&2; exit 1; }
"$h2spec" -h 127.0.0.1 -p "$port" -t -k --strict -P "$path" "$@"
