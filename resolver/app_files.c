/* SPDX-License-Identifier: Apache-2.0 */

/* Reads the files that a configuration names. */

#include "resolver/app_files.h"

void pin_app_files_load(
    const struct pin_config *config, struct pin_findings *findings, struct pin_app_files *ret_files)
{
    *ret_files = (struct pin_app_files){0};
    if (config == NULL) {
        return;
    }
    ret_files->zonefiles = pin_zonefiles_load(config, findings);
    ret_files->primary = pin_primary_load(config, findings);
    ret_files->certs = pin_certs_load(config, findings);
    if (ret_files->zonefiles == NULL || ret_files->primary == NULL || ret_files->certs == NULL) {
        pin_findings_add(findings, NULL, (struct pin_at){0}, "out of memory");
    }
}

void pin_app_files_free(struct pin_app_files *files)
{
    pin_certs_free(files->certs);
    pin_primary_free(files->primary);
    pin_zonefiles_free(files->zonefiles);
    *files = (struct pin_app_files){0};
}
