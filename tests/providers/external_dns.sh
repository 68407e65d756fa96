#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Runs external-dns itself, with the arguments given; without any it only sees to it that it is there.
set -eu
exec "$(dirname "$0")/../lab/go_tool.sh" sigs.k8s.io/external-dns v0.20.0 "$@"
