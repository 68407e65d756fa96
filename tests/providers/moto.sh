#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Runs moto's server, which plays AWS, with the arguments given; without any it only sees to it that it is there.
set -eu
# shellcheck disable=SC1091 # looked at by itself
. "$(dirname "$0")/../support/pypi.sh"

pypi moto 5.2.1 'moto[server]'
[ $# -eq 0 ] || exec "$DIR/bin/python" -m moto.server "$@"
