#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Runs check-jsonschema with the arguments given; without any it only sees to it that it is there.
set -eu
# shellcheck disable=SC1091 # looked at by itself
. "$(dirname "$0")/pypi.sh"

pypi check-jsonschema 0.39.0 check-jsonschema
[ $# -eq 0 ] || exec "$DIR/bin/python" -m check_jsonschema "$@"
