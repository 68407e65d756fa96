/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Least privilege in words of Kubernetes. The rules come from the table of kinds that the decoder
 * reads, so that they cannot be out of date.
 */

#include "pintle/sync/grant.h"

#include <stdlib.h>
#include <string.h>

#include "pintle/base/crypto.h"

#include "decode.h"
#include "kubeconfig.h"
#include "roles.h"

#define NAMESPACE       "pintle"
#define USER            "pintle"
#define ROLE            "pintle-reader"
#define TOKEN           "pintle-token"
#define LABEL_BYTES_MAX 63
#define PLAIN           "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._/:@"

/* What is written about. */
struct grant {
    const char *cluster;
    const char *kubeconfig; /* NULL: the usual ones */
    const char *context;    /* NULL: the current one */
    const char *write_back; /* NULL: nothing is written */
    uint32_t roles;         /* of it */
    const struct pin_target *target;
    struct pin_text *out;
};

static void put_quoted(struct pin_text *out, const char *text)
{
    pin_text_put_json_string(out, text, strlen(text));
}

/* As a word of a shell. Texts with an apostrophe or control characters do not come here. */
static void put_word(struct pin_text *out, const char *text)
{
    const char *quote = text[strspn(text, PLAIN)] == '\0' ? "" : "'";
    pin_text_putf(out, "%s%s%s", quote, text, quote);
}

/* --- Objects -------------------------------------------------------------------------------- */

static bool is_first_of_group(int kind)
{
    for (int i = 0; i < kind; i++) {
        if (strcmp(
                pin_decode_row((enum pin_kind)i)->group, pin_decode_row((enum pin_kind)kind)->group)
            == 0) {
            return false;
        }
    }
    return true;
}

/* Kinds that only some ask for. */
static bool is_usual(int kind)
{
    return kind != PIN_KIND_POD && kind != PIN_KIND_GATEWAY_CLASS && kind != PIN_KIND_INGRESS;
}

/* The rule of one API group. */
static void put_rule(struct pin_text *out, const char *group)
{
    const char *comma = "";
    pin_text_puts(out, "  - apiGroups: [");
    put_quoted(out, group);
    pin_text_puts(out, "]\n    resources: [");
    for (int kind = 0; kind < PIN_KIND_MAX; kind++) {
        const struct pin_kind_row *row = pin_decode_row((enum pin_kind)kind);
        if (strcmp(row->group, group) == 0 && is_usual(kind)) {
            pin_text_putf(out, "%s%s", comma, row->plural);
            comma = ", ";
        }
    }
    pin_text_puts(out, "]\n    verbs: [list, watch]\n");
}

static void put_role(struct pin_text *out)
{
    pin_text_puts(out, "---\napiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\n"
                       "metadata: {name: " ROLE "}\nrules:\n");
    for (int kind = 0; kind < PIN_KIND_MAX; kind++) {
        if (is_first_of_group(kind)) {
            put_rule(out, pin_decode_row((enum pin_kind)kind)->group);
        }
    }
    pin_text_puts(out,
        "  # Only for policies that name namespaces of clients:\n"
        "  # - {apiGroups: [\"\"], resources: [pods], verbs: [list, watch]}\n"
        "  # Only for writeBack.status and writeBack.cleanup:\n"
        "  # - {apiGroups: [gateway.networking.k8s.io], resources: [gatewayclasses], "
        "verbs: [list, watch]}\n"
        "  # Only for records of Ingresses in other DNS servers, here or where it is published "
        "to:\n"
        "  # - {apiGroups: [networking.k8s.io], resources: [ingresses], verbs: [list, watch]}\n");
}

/* " --kubeconfig FILE"; one that this process alone can read has no name for the next. */
static void put_file(const struct grant *grant)
{
    if (grant->kubeconfig != NULL) {
        bool is_own = strncmp(grant->kubeconfig, "/proc/self/", strlen("/proc/self/")) == 0;
        pin_text_puts(grant->out, " --kubeconfig ");
        put_word(grant->out, is_own ? "FILE" : grant->kubeconfig);
    }
}

/* " --context X --name c3 --write-back mcs --kubeconfig FILE" */
static void put_same(const struct grant *grant)
{
    if (grant->context != NULL) {
        pin_text_puts(grant->out, " --context ");
        put_word(grant->out, grant->context);
    }
    pin_text_putf(grant->out, " --name %s", grant->cluster);
    if (grant->write_back != NULL) {
        pin_text_putf(grant->out, " --write-back %s", grant->write_back);
    }
    put_file(grant);
}

static void put_kubectl(const struct grant *grant)
{
    pin_text_puts(grant->out, "kubectl");
    put_file(grant);
    if (grant->context != NULL) {
        pin_text_puts(grant->out, " --context ");
        put_word(grant->out, grant->context);
    }
}

static void put_steps(const struct grant *grant)
{
    struct pin_text *out = grant->out;
    pin_text_putf(out,
        "# What pintled needs to read this cluster%s, and nothing more. Apply it:\n"
        "#   pintlectl clusters add",
        grant->roles != 0 ? " and to write back to it" : "");
    put_same(grant);
    pin_text_puts(out, " | ");
    put_kubectl(grant);
    pin_text_puts(out,
        " apply -f -\n# Then its kubeconfig, the token beside it, and what goes into "
        "pintle.yaml:\n#   pintlectl clusters add kubeconfig");
    put_same(grant);
    pin_text_putf(out, " > %s.kubeconfig\n#   umask 077; ", grant->cluster);
    put_kubectl(grant);
    pin_text_putf(out,
        " -n " NAMESPACE " get secret " TOKEN " -o 'jsonpath={.data.token}' | base64 -d > "
        "%s.token\n#   pintlectl clusters add config",
        grant->cluster);
    put_same(grant);
    pin_text_puts(out, "\n# A token that ends by itself, in place of the Secret's: ");
    put_kubectl(grant);
    pin_text_puts(out, " -n " NAMESPACE " create token " USER " --duration 24h\n"
                       "# The token's file is read again each minute.\n");
}

static enum pin_err put_objects(const struct grant *grant, struct pin_why *why)
{
    struct pin_text *out = grant->out;
    put_steps(grant);
    pin_text_puts(out, "apiVersion: v1\nkind: Namespace\nmetadata: {name: " NAMESPACE "}\n"
                       "---\napiVersion: v1\nkind: ServiceAccount\n"
                       "metadata: {name: " USER ", namespace: " NAMESPACE "}\n"
                       "automountServiceAccountToken: false\n");
    put_role(out);
    pin_text_puts(out,
        "---\napiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\n"
        "metadata: {name: " ROLE "}\n"
        "roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, "
        "name: " ROLE "}\n"
        "subjects: [{kind: ServiceAccount, name: " USER ", namespace: " NAMESPACE "}]\n"
        "---\napiVersion: v1\nkind: Secret\ntype: "
        "kubernetes.io/service-account-token\n"
        "metadata:\n  name: " TOKEN "\n  namespace: " NAMESPACE "\n"
        "  annotations: {kubernetes.io/service-account.name: " USER "}\n");
    return pin_roles_print(grant->roles, NAMESPACE, USER, out, why);
}

/* --- Kubeconfig ----------------------------------------------------------------------------- */

static bool put_ca(const struct grant *grant)
{
    const struct pin_blob *ca = &grant->target->ca;
    if (ca->data == NULL) {
        return true;
    }
    char *text = malloc(PIN_BASE64_BYTES(ca->bytes));
    if (text == NULL) {
        return false;
    }
    pin_text_putf(grant->out, "      certificate-authority-data: %s\n",
        pin_base64_encode(ca->data, ca->bytes, text));
    free(text);
    return true;
}

/* A proxy's URL may hold a password, which is not ours to hand on. */
static void put_proxy(const struct grant *grant)
{
    const char *url = grant->target->proxy_url;
    if (url != NULL && strchr(url, '@') == NULL) {
        pin_text_puts(grant->out, "      proxy-url: ");
        put_quoted(grant->out, url);
        pin_text_putc(grant->out, '\n');
    } else if (url != NULL) {
        pin_text_puts(grant->out, "      # proxy-url: as in the kubeconfig that this came from\n");
    }
}

static bool put_kubeconfig(const struct grant *grant)
{
    struct pin_text *out = grant->out;
    const char *cluster = grant->cluster;
    pin_text_putf(out,
        "apiVersion: v1\nkind: Config\nclusters:\n  - name: %s\n    cluster:\n"
        "      server: ",
        cluster);
    put_quoted(out, grant->target->server);
    pin_text_putc(out, '\n');
    if (grant->target->server_name != NULL) {
        pin_text_puts(out, "      tls-server-name: ");
        put_quoted(out, grant->target->server_name);
        pin_text_putc(out, '\n');
    }
    if (grant->target->is_insecure) {
        pin_text_puts(out, "      insecure-skip-tls-verify: true\n");
    }
    put_proxy(grant);
    bool is_good = put_ca(grant);
    pin_text_putf(out,
        "users:\n  - {name: " USER ", user: {tokenFile: %s.token}}\n"
        "contexts:\n  - {name: %s, context: {cluster: %s, user: " USER "}}\n"
        "current-context: %s\n",
        cluster, cluster, cluster, cluster);
    return is_good;
}

static void put_config(const struct grant *grant)
{
    const char *comma = "";
    pin_text_putf(grant->out, "clusters:\n  - {name: %s, context: %s, kubeconfig: %s.kubeconfig}\n",
        grant->cluster, grant->cluster, grant->cluster);
    pin_text_puts(grant->out, grant->roles != 0 ? "writeBack: {" : "");
    for (int role = PIN_ROLE_LEASE + 1; role < PIN_ROLE_MAX; role++) {
        if ((grant->roles & UINT32_C(1) << role) != 0) {
            pin_text_putf(grant->out, "%s%s: true", comma, pin_role_word((enum pin_role)role));
            comma = ", ";
        }
    }
    pin_text_puts(grant->out, grant->roles != 0 ? "}\n" : "");
}

/* --- All of it ------------------------------------------------------------------------------ */

static bool is_label(const char *name)
{
    size_t bytes = strlen(name);
    return bytes > 0 && bytes <= LABEL_BYTES_MAX && name[0] != '-' && name[bytes - 1] != '-'
           && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == bytes;
}

static bool is_printable(const char *text)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < ' ' || *text == '\'' || *text == '\x7f') {
            return false;
        }
    }
    return true;
}

static enum pin_err load(const char *kubeconfig, const char *context,
    struct pin_target **ret_target, struct pin_why *why)
{
    struct pin_kubeconfig *loaded = NULL;
    enum pin_err err = pin_kubeconfig_load(kubeconfig, true, &loaded, why);
    if (err == PIN_OK) {
        err = pin_kubeconfig_target(loaded, context, ret_target, why);
    }
    pin_kubeconfig_free(loaded);
    return err;
}

/* What cannot be asked for. */
static enum pin_err check_asked(
    const struct pin_grant *asked, uint32_t *ret_roles, struct pin_why *why)
{
    if (strcmp(asked->part, "objects") != 0 && strcmp(asked->part, "kubeconfig") != 0
        && strcmp(asked->part, "config") != 0) {
        return pin_why_set(
            why, PIN_EINVAL, "\"%s\" is not one of objects, kubeconfig, config", asked->part);
    }
    if (!is_label(asked->cluster)) {
        return pin_why_set(why, PIN_EINVAL,
            "\"%s\" cannot be a cluster's name: small letters, digits and '-', up to %d",
            asked->cluster, LABEL_BYTES_MAX);
    }
    if (asked->context != NULL && !is_printable(asked->context)) {
        return pin_why_set(why, PIN_EINVAL, "the context's name has an apostrophe or worse in it");
    }
    if (asked->kubeconfig != NULL && !is_printable(asked->kubeconfig)) {
        return pin_why_set(
            why, PIN_EINVAL, "the kubeconfig's path has an apostrophe or worse in it");
    }
    return asked->write_back == NULL ? PIN_OK : pin_roles_parse(asked->write_back, ret_roles, why);
}

enum pin_err pin_grant_print(
    const struct pin_grant *asked, struct pin_text *out, struct pin_why *why)
{
    struct pin_target *target = NULL;
    struct grant grant = {.cluster = asked->cluster,
        .kubeconfig = asked->kubeconfig,
        .context = asked->context,
        .write_back = asked->write_back,
        .out = out};
    enum pin_err err = check_asked(asked, &grant.roles, why);
    if (err == PIN_OK) {
        err = load(asked->kubeconfig, asked->context, &target, why);
    }
    if (err != PIN_OK) {
        return err;
    }
    grant.target = target;
    if (strcmp(asked->part, "objects") == 0) {
        err = put_objects(&grant, why);
    } else if (strcmp(asked->part, "kubeconfig") == 0) {
        err = put_kubeconfig(&grant) ? PIN_OK : PIN_ENOMEM;
    } else {
        put_config(&grant);
    }
    pin_target_free(target);
    return err != PIN_OK || !out->failed ? err
                                         : pin_why_set(why, PIN_ENOMEM, "what a cluster grants");
}
