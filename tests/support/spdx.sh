#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# SPDX's own tools: reads the documents named and fails unless each is a valid one; without any it only sees to it that
# the tools are there.
set -eu
# shellcheck disable=SC1091 # looked at by itself
. "$(dirname "$0")/pypi.sh"

pypi spdx-tools 0.8.5 spdx-tools
for document; do
    "$DIR/bin/python" -m spdx_tools.spdx.clitools.pyspdxtools --infile "$document"
done
