#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Runs kustomize with the arguments given; without any it only sees to it that it is there.
set -eu
exec "$(dirname "$0")/../lab/go_tool.sh" sigs.k8s.io/kustomize/kustomize/v5 v5.8.1 "$@"
