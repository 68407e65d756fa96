#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Chart, kustomize bases and what watches over Pintle; PINTLED and PINTLECTL name the programs. All parts run.
set -euo pipefail
cd "$(dirname "$0")"

python=python3
"$python" -c 'import yaml' 2>/dev/null || python=/usr/bin/python3 # Debian's python3-yaml is for Debian's Python
./helm.sh
./kustomize.sh
failed=0
for part in charts monitoring incluster; do
    printf '\n--- %s\n' "$part"
    "$python" "$part.py" </dev/null || failed=1
done
exit "$failed"
