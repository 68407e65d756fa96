#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Runs Helm with the arguments given; without any it only sees to it that it is there.
set -eu
exec "$(dirname "$0")/../lab/go_tool.sh" helm.sh/helm/v3/cmd/helm v3.22.0 "$@"
