# SPDX-License-Identifier: Apache-2.0
# To be sourced. Runs commands as many at a time as there are processors, and counts those that fail.
#
#     side_by_side COMMAND...     starts one, after waiting for a place
#     side_by_side_end            waits for all; status 1 when one has failed
# shellcheck shell=bash

side_running=0
side_failed=0

side_wait() {
    wait -n || side_failed=$((side_failed + 1))
    side_running=$((side_running - 1))
}

side_by_side() {
    [ "$side_running" -lt "$(nproc)" ] || side_wait
    "$@" &
    side_running=$((side_running + 1))
}

side_by_side_end() {
    while [ "$side_running" -gt 0 ]; do
        side_wait
    done
    [ "$side_failed" -eq 0 ]
}
