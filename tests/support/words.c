/* SPDX-License-Identifier: Apache-2.0 */

/* Words of scenarios for the values of settings. */

#include "support/words.h"

#include <string.h>

#include "pintle/base/macros.h"

enum pin_address_mode pin_word_address(const char *text)
{
    static const char *const modes[] = {[PIN_ADDRESS_AUTO] = "auto",
        [PIN_ADDRESS_ENDPOINTS] = "endpoints",
        [PIN_ADDRESS_CLUSTER_IP] = "clusterIP",
        [PIN_ADDRESS_LOAD_BALANCER] = "loadBalancer",
        [PIN_ADDRESS_GATEWAY] = "gateway"};
    for (size_t i = 1; i < N_ELEMS(modes); i++) {
        if (strcmp(text, modes[i]) == 0) {
            return (enum pin_address_mode)i;
        }
    }
    return PIN_ADDRESS_UNSET;
}

enum pin_answers_mode pin_word_answers(const char *text)
{
    return strcmp(text, "subset") == 0   ? PIN_ANSWERS_SUBSET
           : strcmp(text, "single") == 0 ? PIN_ANSWERS_SINGLE
           : strcmp(text, "all") == 0    ? PIN_ANSWERS_ALL
           : strcmp(text, "group") == 0  ? PIN_ANSWERS_GROUP
                                         : PIN_ANSWERS_UNSET;
}

enum pin_stale pin_word_stale(const char *text)
{
    return strcmp(text, "drop") == 0    ? PIN_STALE_DROP
           : strcmp(text, "keep") == 0  ? PIN_STALE_KEEP
           : strcmp(text, "probe") == 0 ? PIN_STALE_PROBE
                                        : PIN_STALE_UNSET;
}

enum pin_all_down pin_word_all_down(const char *text)
{
    return strcmp(text, "all") == 0        ? PIN_ALL_DOWN_ALL
           : strcmp(text, "none") == 0     ? PIN_ALL_DOWN_NONE
           : strcmp(text, "lastGood") == 0 ? PIN_ALL_DOWN_LAST_GOOD
                                           : PIN_ALL_DOWN_UNSET;
}
