#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Prints every include that breaks the room order, and every library header used past its one door.
set -eu
cd "$(dirname "$0")/.."

allowed() { # room -> the rooms whose headers it may include
    case $1 in
    base | cli) echo base ;;
    zones) echo 'base|zones' ;;
    sync) echo 'base|zones|sync' ;;
    resolver) echo 'base|zones|resolver' ;;
    esac
}

rooms='base zones sync resolver cli'
bad=0
breach() { # rule, hits
    [ -z "$2" ] && return
    printf '%s\n%s\n' "layers: $1" "$2"
    bad=1
}

for room in $rooms; do
    hits=$(grep -rnE '#include "pintle/' "$room" "include/pintle/$room" 2>/dev/null |
        grep -vE "#include \"pintle/(($(allowed "$room"))/|version\.h\")" |
        grep -vE '^resolver/app(_admin|_analyze|_config|_providers|_records|_reload|_replace|_sources)?\.c:' || true)
    breach "$room may include $(allowed "$room" | tr '|' ' ') only" "$hits"
done

# A private header is its own room's: "zones/merge.h" or plain "merge.h" inside zones/ only.
for room in $rooms; do
    # shellcheck disable=SC2086 # the list of rooms is meant to be split
    others=$(printf "%s\n" $rooms tests | grep -vx "$room" | paste -sd'|' -)
    hits=$(grep -rnE "#include \"(\.\./|($others)/)" "$room" "include/pintle/$room" 2>/dev/null || true)
    breach "$room meets other rooms through include/pintle only" "$hits"
done

while read -r header door; do
    # shellcheck disable=SC2086 # the list of rooms is meant to be split
    hits=$(grep -rnE "#include <$header" $rooms include 2>/dev/null | grep -vE "^($door):" || true)
    breach "<$header...> belongs to $door" "$hits"
done <<'DOORS'
event2/ base/loop\.c|resolver/admin(_reply|_request)?\.c|sync/dns\.c
sys/inotify\.h base/dirwatch\.c
urcu include/pintle/base/rcu\.h
yaml\.h base/yaml\.c
expat\.h base/xml\.c
zlib\.h base/gzip\.c
xxhash\.h base/hash\.c|include/pintle/base/hash\.h
maxminddb\.h resolver/geo\.c|resolver/geo_check\.c
fstrm\.h resolver/dnstap\.c
nghttp2/ resolver/doh\.c
seccomp\.h base/seccomp\.c
libsmartcols/ cli/table\.c
curl/ sync/http\.c|cli/api\.c
openssl/ base/crypto\.c|resolver/tls\.c|resolver/tls_client\.c
ldns/ zones/zonefile\.c
cmocka\.h -
DOORS
exit $bad
