/* SPDX-License-Identifier: Apache-2.0 */

/* What has to change in somebody else's zone, what must not, and that it is said the same every
 * time. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/macros.h"
#include "pintle/base/text.h"
#include "pintle/zones/recordplan.h"

#include "support/recordworld.h"

#define APP_WANTED "app.example.com A 0 192.0.2.1 from c1 service/shop/app 100\n"
#define APP_THERE  "app.example.com A 300 192.0.2.1\n"
#define APP_TXT    "a-app.example.com TXT 300 @demo:service/shop/app:c1\n"
#define APP_GOES                                                                                   \
    "- app.example.com A 300 192.0.2.1\n- a-app.example.com TXT @demo:service/shop/app:c1\n"

enum flags {
    PIN_SYNC = 0,
    PIN_UPSERT = 1,
    PIN_CREATE = 2,
    PIN_SET_IDS = 4,
    PIN_ADOPT = 8,     /* from owner "old" */
    PIN_WILDCARD = 16, /* replaced by "any" */
    PIN_C2_UNSYNCED = 32,
    PIN_TYPED_PREFIX = 64,
};

static struct plan_case {
    const char *name; /* reads as a sentence in the test report */
    unsigned flags;
    const char *claims;
    const char *actual;
    const char *want;
} cases[] = {
    {"nothing there, nothing wanted", PIN_SYNC, "", "", ""},
    {"case 116: what is wanted comes with its TXT record", PIN_SYNC, APP_WANTED, "",
        "+ app.example.com A 0 192.0.2.1\n+ a-app.example.com TXT @demo:service/shop/app:c1\n"},
    {"what is there is left in peace", PIN_SYNC, APP_WANTED, APP_THERE APP_TXT, ""},
    {"so is what external-dns wrote", PIN_SYNC, APP_WANTED,
        APP_THERE "a-app.example.com TXT 300 @demo:service/shop/app\n", ""},
    {"a value that changed is updated, and no TXT record of one cluster", PIN_SYNC,
        "app.example.com A 0 192.0.2.2 from c1 service/shop/app 100", APP_THERE APP_TXT,
        "~ app.example.com A 300 192.0.2.1 -> 300 192.0.2.2\n"},
    {"a TTL that is said counts", PIN_SYNC,
        "app.example.com A 60 192.0.2.1 from c1 service/shop/app 100", APP_THERE APP_TXT,
        "~ app.example.com A 300 192.0.2.1 -> 60 192.0.2.1\n"},
    {"case 123: what nobody wants goes with its TXT record", PIN_SYNC, "", APP_THERE APP_TXT,
        APP_GOES},
    {"case 123: but not with upsert-only", PIN_UPSERT, "", APP_THERE APP_TXT, ""},
    {"nor with create-only", PIN_CREATE, "", APP_THERE APP_TXT, ""},
    {"upsert-only updates", PIN_UPSERT,
        "app.example.com A 0 192.0.2.2 from c1 service/shop/app 100", APP_THERE APP_TXT,
        "~ app.example.com A 300 192.0.2.1 -> 300 192.0.2.2\n"},
    {"create-only does not", PIN_CREATE,
        "app.example.com A 0 192.0.2.2 from c1 service/shop/app 100", APP_THERE APP_TXT, ""},
    {"create-only creates", PIN_CREATE, APP_WANTED, "",
        "+ app.example.com A 0 192.0.2.1\n+ a-app.example.com TXT @demo:service/shop/app:c1\n"},
    {"names of other zones are none of ours", PIN_SYNC,
        "app.example.net A 0 192.0.2.1 from c1 service/shop/app 100\n"
        "app.sub.example.com A 0 192.0.2.1 from c1 service/shop/app 100\n",
        "", ""},

    /* Ownership */
    {"case 120: a set without TXT record is not touched", PIN_SYNC,
        "app.example.com A 0 192.0.2.2 from c1 service/shop/app 100", APP_THERE,
        "! foreign app.example.com A service/shop/app of c1\n"},
    {"case 121: nor is one of another owner", PIN_SYNC,
        "app.example.com A 0 192.0.2.2 from c1 service/shop/app 100",
        APP_THERE "a-app.example.com TXT 0 @other:service/shop/app\n",
        "! other-owner app.example.com A service/shop/app of c1\n"},
    {"case 122: nor is one of two owners", PIN_SYNC,
        "app.example.com A 0 192.0.2.2 from c1 service/shop/app 100",
        APP_THERE "a-app.example.com TXT 0 @demo:service/shop/app,@other:service/shop/app\n",
        "! two-owners app.example.com A service/shop/app of c1\n"},
    {"the old form of the name counts as the new one", PIN_SYNC, "",
        APP_THERE "app.example.com TXT 0 @demo:service/shop/app\n",
        "- app.example.com A 300 192.0.2.1\n- app.example.com TXT @demo:service/shop/app\n"},
    {"a record of the old form that speaks of nothing stays", PIN_SYNC, "",
        "app.example.com TXT 0 @demo:service/shop/app\n", ""},
    {"what changes beside the old form is said in the new one", PIN_SYNC,
        "app.example.com A 0 192.0.2.1 from c1 service/shop/other 100\n",
        APP_THERE "app.example.com TXT 0 @demo:service/shop/app\n",
        "+ a-app.example.com TXT @demo:service/shop/other:c1\n"},
    {"a TXT record of one set is not the old form of another", PIN_SYNC, APP_WANTED,
        APP_THERE APP_TXT "a-app.example.com A 300 192.0.2.7\n", ""},
    {"two forms of two owners are two owners", PIN_SYNC, "",
        APP_THERE APP_TXT "app.example.com TXT 0 @other:service/shop/app\n", ""},
    {"other texts of the same name stay", PIN_SYNC, "",
        APP_THERE "a-app.example.com TXT 0 @demo:service/shop/app:c1,text\n", APP_GOES},
    {"the TXT record of a crash is used again", PIN_SYNC, APP_WANTED, APP_TXT,
        "+ app.example.com A 0 192.0.2.1\n"},
    {"or removed", PIN_SYNC, "", APP_TXT, "- a-app.example.com TXT @demo:service/shop/app:c1\n"},
    {"but not that of another owner", PIN_SYNC, APP_WANTED,
        "a-app.example.com TXT 0 @other:service/shop/app\n",
        "! other-owner app.example.com A service/shop/app of c1\n"},
    {"a set that lost its TXT record is not ours any more", PIN_SYNC, "", APP_THERE, ""},
    {"an owner that is called as the heritage is an owner as any", PIN_SYNC, "",
        APP_THERE "a-app.example.com TXT 0 @external-dns:service/shop/app\n", ""},
    {"ownership of another object of ours moves with the set", PIN_SYNC,
        "app.example.com A 0 192.0.2.1 from c1 ingress/shop/app 100", APP_THERE APP_TXT,
        "~ a-app.example.com TXT @demo:service/shop/app:c1 -> @demo:ingress/shop/app:c1\n"},
    {"a CNAME where the TXT record would go", PIN_SYNC, APP_WANTED,
        "a-app.example.com CNAME 0 x.example.net\n",
        "! registry app.example.com A service/shop/app of c1\n"},
    {"a text that is wanted where a TXT record goes", PIN_SYNC,
        APP_WANTED "a-app.example.com TXT 0 hello from c1 crd/shop/text 100\n", "",
        "+ app.example.com A 0 192.0.2.1\n+ a-app.example.com TXT @demo:service/shop/app:c1\n"
        "! registry a-app.example.com TXT crd/shop/text of c1\n"},
    {"the apex has no place for its TXT record", PIN_SYNC,
        "example.com A 0 192.0.2.1 from c1 service/shop/app 100", "",
        "! registry example.com A service/shop/app of c1\n"},
    {"but with the type as a label", PIN_TYPED_PREFIX,
        "example.com A 0 192.0.2.1 from c1 service/shop/app 100", "",
        "+ example.com A 0 192.0.2.1\n+ a.example.com TXT @demo:service/shop/app:c1\n"},
    {"case 129: a wildcard's TXT record has a word for the star", PIN_WILDCARD,
        "*.example.com A 0 192.0.2.1 from c1 service/shop/app 100", "",
        "+ *.example.com A 0 192.0.2.1\n+ a-any.example.com TXT @demo:service/shop/app:c1\n"},
    {"which does not speak of that word", PIN_WILDCARD,
        "any.example.com A 0 192.0.2.1 from c1 service/shop/app 100",
        "any.example.com A 0 192.0.2.9\na-any.example.com TXT 0 @demo:service/shop/app:c1\n",
        "! registry any.example.com A service/shop/app of c1\n"},
    {"case 125: a text that changed is updated", PIN_SYNC,
        "text.example.com TXT 0 new from c1 crd/shop/text 100",
        "text.example.com TXT 0 old\ntxt-text.example.com TXT 0 @demo:crd/shop/text:c1\n",
        "~ text.example.com TXT 0 \"old\" -> 0 \"new\"\n"},
    {"case 125: and goes with its object", PIN_SYNC, "",
        "text.example.com TXT 0 old\ntxt-text.example.com TXT 0 @demo:crd/shop/text:c1\n",
        "- text.example.com TXT 0 \"old\"\n- txt-text.example.com TXT @demo:crd/shop/text:c1\n"},

    /* Objects among themselves */
    {"case 126: one object of two clusters is one set", PIN_SYNC,
        APP_WANTED "app.example.com A 0 192.0.2.2 from c2 service/shop/app 200\n", "",
        "+ app.example.com A 0 192.0.2.1 192.0.2.2\n"
        "+ a-app.example.com TXT @demo:service/shop/app:c1:0d1b_c2:d846\n"},
    {"the older of two objects wins", PIN_SYNC,
        APP_WANTED "app.example.com A 0 192.0.2.2 from c1 service/shop/other 99\n",
        APP_THERE APP_TXT,
        "~ app.example.com A 300 192.0.2.1 -> 300 192.0.2.2\n"
        "~ a-app.example.com TXT @demo:service/shop/app:c1 -> @demo:service/shop/other:c1\n"
        "! two-objects app.example.com A service/shop/app of c1\n"},
    {"two objects that agree are no conflict", PIN_SYNC,
        APP_WANTED "app.example.com A 0 192.0.2.1 from c1 service/shop/other 200\n",
        APP_THERE APP_TXT, ""},
    {"an object that is as old is chosen by its name", PIN_SYNC,
        APP_WANTED "app.example.com A 0 192.0.2.2 from c1 service/shop/zoo 100\n",
        APP_THERE APP_TXT, "! two-objects app.example.com A service/shop/zoo of c1\n"},
    {"of a CNAME and an address the older one wins", PIN_SYNC,
        APP_WANTED "app.example.com CNAME 0 x.example.net from c1 httproute/shop/app 200\n",
        APP_THERE APP_TXT, "! cname app.example.com CNAME httproute/shop/app of c1\n"},
    {"an alias of two clusters points to the older one's", PIN_SYNC,
        "app.example.com CNAME 0 y.example.net from c1 httproute/shop/app 200\n"
        "app.example.com CNAME 0 x.example.net from c2 httproute/shop/app 100\n",
        "app.example.com CNAME 0 x.example.net\n"
        "cname-app.example.com TXT 0 @demo:httproute/shop/app:c2\n",
        "! two-objects app.example.com CNAME httproute/shop/app of c1\n"},
    {"an alias with two targets makes no sense", PIN_SYNC,
        "app.example.com CNAME 0 x.example.net,y.example.net from c1 crd/shop/app 100", "",
        "! invalid app.example.com CNAME crd/shop/app of c1\n"},
    {"an alias at the apex has others beside it", PIN_TYPED_PREFIX,
        "example.com CNAME 0 x.example.net from c1 crd/shop/app 100", "",
        "! cname example.com CNAME crd/shop/app of c1\n"},
    {"a type that the provider does not hold", PIN_SYNC,
        "app.example.com LOC 0 x from c1 crd/shop/app 100", "",
        "! unsupported app.example.com LOC crd/shop/app of c1\n"},
    {"an alias takes the place of an address", PIN_SYNC,
        "app.example.com CNAME 0 x.example.net from c1 service/shop/app 100", APP_THERE APP_TXT,
        APP_GOES "+ app.example.com CNAME 0 x.example.net\n"
                 "+ cname-app.example.com TXT @demo:service/shop/app:c1\n"},
    {"also with upsert-only", PIN_UPSERT,
        "app.example.com CNAME 0 x.example.net from c1 service/shop/app 100", APP_THERE APP_TXT,
        APP_GOES "+ app.example.com CNAME 0 x.example.net\n"
                 "+ cname-app.example.com TXT @demo:service/shop/app:c1\n"},
    {"but not of somebody else's address", PIN_SYNC,
        "app.example.com CNAME 0 x.example.net from c1 service/shop/app 100", APP_THERE,
        "! foreign app.example.com CNAME service/shop/app of c1\n"},
    {"an address beside somebody else's alias", PIN_SYNC, APP_WANTED,
        "app.example.com CNAME 0 x.example.net\n",
        "! foreign app.example.com A service/shop/app of c1\n"},
    {"an address of the other family stands beside one", PIN_SYNC,
        APP_WANTED "app.example.com AAAA 0 2001:db8::1 from c1 service/shop/app 100\n",
        APP_THERE APP_TXT,
        "+ app.example.com AAAA 0 2001:db8::1\n"
        "+ aaaa-app.example.com TXT @demo:service/shop/app:c1\n"},

    /* Several sets of one name */
    {"case 119: weights are sets of their own, each with its TXT record", PIN_SET_IDS,
        "app.example.com A [v1] 0 192.0.2.1 aws/weight=80 from c1 service/shop/v1 100\n"
        "app.example.com A [v2] 0 192.0.2.2 aws/weight=20 from c1 service/shop/v2 100\n",
        "",
        "+ app.example.com A [v1] 0 192.0.2.1 aws/weight=80\n"
        "+ a-app.example.com TXT @demo:service/shop/v1:c1\n"
        "+ app.example.com A [v2] 0 192.0.2.2 aws/weight=20\n"
        "+ a-app.example.com TXT @demo:service/shop/v2:c1\n"},
    {"a weight that changed is updated with its TXT record", PIN_SET_IDS,
        "app.example.com A [v1] 0 192.0.2.1 aws/weight=80 from c1 service/shop/v1 100\n",
        "app.example.com A [v1] 0 192.0.2.1 aws/weight=70\n"
        "a-app.example.com TXT [v1] 0 @demo:service/shop/v1:c1\n",
        "~ app.example.com A [v1] 0 192.0.2.1 aws/weight=70 -> 0 192.0.2.1 aws/weight=80\n"
        "~ a-app.example.com TXT @demo:service/shop/v1:c1 -> @demo:service/shop/v1:c1\n"},
    {"case 119: where a name has one set, the older object has it", PIN_SYNC,
        "app.example.com A [v1] 0 192.0.2.1 aws/weight=80 from c1 service/shop/v1 200\n"
        "app.example.com A [v2] 0 192.0.2.2 aws/weight=20 from c1 service/shop/v2 100\n",
        "",
        "+ app.example.com A 0 192.0.2.2\n+ a-app.example.com TXT @demo:service/shop/v2:c1\n"
        "! two-objects app.example.com A service/shop/v1 of c1\n"},
    {"a set without id gives way to those with one, in one run", PIN_SET_IDS,
        "app.example.com A [v1] 0 192.0.2.1 aws/weight=80 from c1 service/shop/app 100\n",
        APP_THERE APP_TXT,
        APP_GOES "+ app.example.com A [v1] 0 192.0.2.1 aws/weight=80\n"
                 "+ a-app.example.com TXT @demo:service/shop/app:c1\n"},
    {"sets with and without id of two objects", PIN_SET_IDS,
        "app.example.com A [v1] 0 192.0.2.1 aws/weight=80 from c1 service/shop/v1 200\n" APP_WANTED,
        APP_THERE APP_TXT, "! set-id app.example.com A service/shop/v1 of c1\n"},

    /* Clusters that nothing was heard of since the start */
    {"the value of a cluster not synced yet stays", PIN_C2_UNSYNCED, APP_WANTED,
        "app.example.com A 0 192.0.2.1,192.0.2.2\n"
        "a-app.example.com TXT 0 @demo:service/shop/app:c1:0d1b_c2:d846\n",
        ""},
    {"case 126: and goes when the cluster is there without it", PIN_SYNC, APP_WANTED,
        "app.example.com A 0 192.0.2.1,192.0.2.2\n"
        "a-app.example.com TXT 0 @demo:service/shop/app:c1:0d1b_c2:d846\n",
        "~ app.example.com A 0 192.0.2.1 192.0.2.2 -> 0 192.0.2.1\n"
        "~ a-app.example.com TXT @demo:service/shop/app:c1:0d1b_c2:d846 -> "
        "@demo:service/shop/app:c1\n"},
    {"values of the clusters that are there change meanwhile", PIN_C2_UNSYNCED,
        "app.example.com A 0 192.0.2.2 from c1 service/shop/app 100\n",
        "app.example.com A 0 192.0.2.1,192.0.2.2\n"
        "a-app.example.com TXT 0 @demo:service/shop/app:c1:0d1b_c2:d846\n",
        "~ app.example.com A 0 192.0.2.1 192.0.2.2 -> 0 192.0.2.2\n"
        "~ a-app.example.com TXT @demo:service/shop/app:c1:0d1b_c2:d846 -> "
        "@demo:service/shop/app:c1_c2\n"},
    {"a set of such a cluster is not deleted", PIN_C2_UNSYNCED, "",
        "app.example.com A 0 192.0.2.2\na-app.example.com TXT 0 @demo:service/shop/app:c2\n", ""},
    {"one of both loses what the other gave", PIN_C2_UNSYNCED, "",
        "app.example.com A 0 192.0.2.1,192.0.2.2\n"
        "a-app.example.com TXT 0 @demo:service/shop/app:c1:0d1b_c2:d846\n",
        "~ app.example.com A 0 192.0.2.1 192.0.2.2 -> 0 192.0.2.2\n"
        "~ a-app.example.com TXT @demo:service/shop/app:c1:0d1b_c2:d846 -> "
        "@demo:service/shop/app:c2\n"},
    {"a set of a cluster that is there goes", PIN_C2_UNSYNCED, "", APP_THERE APP_TXT, APP_GOES},
    {"one of which nobody knows where it comes from stays", PIN_C2_UNSYNCED, "",
        APP_THERE "a-app.example.com TXT 0 @demo:service/shop/app\n", ""},
    {"an object of another cluster does not take its name meanwhile", PIN_C2_UNSYNCED,
        "app.example.com A 0 192.0.2.1 from c1 service/shop/other 100",
        "app.example.com A 0 192.0.2.2\na-app.example.com TXT 0 @demo:service/shop/app:c2\n",
        "! waiting app.example.com A service/shop/other of c1\n"},
    {"nor does an alias", PIN_C2_UNSYNCED,
        "app.example.com CNAME 0 x.example.net from c1 service/shop/other 100",
        "app.example.com A 0 192.0.2.2\na-app.example.com TXT 0 @demo:service/shop/app:c2\n",
        "! waiting app.example.com CNAME service/shop/other of c1\n"},
    {"an alias that such a cluster gave stays", PIN_C2_UNSYNCED,
        "app.example.com CNAME 0 y.example.net from c1 httproute/shop/app 200",
        "app.example.com CNAME 0 x.example.net\n"
        "cname-app.example.com TXT 0 @demo:httproute/shop/app:c2\n",
        "! waiting app.example.com CNAME httproute/shop/app of c1\n"},
    {"a TXT record without set stays until all are there", PIN_C2_UNSYNCED, "", APP_TXT, ""},
    {"an object that lost its addresses keeps them for now", PIN_SYNC,
        "app.example.com A 0 - from c1 service/shop/app 100 holds c1", APP_THERE APP_TXT, ""},
    {"whatever their type was", PIN_SYNC,
        "app.example.com A 0 - from c1 service/shop/app 100 holds c1\n"
        "app.example.com CNAME 0 - from c1 service/shop/app 100 holds c1\n",
        APP_THERE APP_TXT, ""},
    {"but only its own", PIN_SYNC, "app.example.com A 0 - from c1 service/shop/app 100 holds c1",
        "app.example.com A 0 192.0.2.1,192.0.2.2\n"
        "a-app.example.com TXT 0 @demo:service/shop/app:c1:0d1b_c2:d846\n",
        "~ app.example.com A 0 192.0.2.1 192.0.2.2 -> 0 192.0.2.1\n"
        "~ a-app.example.com TXT @demo:service/shop/app:c1:0d1b_c2:d846 -> "
        "@demo:service/shop/app:c1\n"},
    {"an object that never had addresses makes nothing", PIN_SYNC,
        "app.example.com A 0 - from c1 service/shop/app 100 holds c1", "", ""},

    /* Taking over from another owner */
    {"what is wanted is taken over, and nothing else done", PIN_ADOPT,
        "app.example.com A 0 192.0.2.2 from c1 service/shop/app 100\n"
        "new.example.com A 0 192.0.2.2 from c1 service/shop/new 100\n",
        APP_THERE
        "a-app.example.com TXT 0 @old:service/shop/app\n"
        "gone.example.com A 0 192.0.2.3\ngone.example.com TXT 0 @demo:service/shop/gone\n",
        "~ a-app.example.com TXT @old:service/shop/app -> @demo:service/shop/app\n"},
    {"what is not wanted stays the other owner's", PIN_ADOPT, "",
        APP_THERE "a-app.example.com TXT 0 @old:service/shop/app\n", ""},
    {"nobody else's is taken over", PIN_ADOPT, APP_WANTED,
        APP_THERE "a-app.example.com TXT 0 @other:service/shop/app\n",
        "! other-owner app.example.com A service/shop/app of c1\n"},
};

static const char *const types[] = {"A", "AAAA", "CNAME", "TXT"};
static const char *const below[] = {"sub.example.com"};
static const char *const c2[] = {"c2"};

static struct pin_recordplan_input make_input(unsigned flags, struct pin_registry *registry)
{
    *registry = (struct pin_registry){.owner = "demo",
        .prefix = (flags & PIN_TYPED_PREFIX) != 0 ? "%{record_type}." : "",
        .wildcard = (flags & PIN_WILDCARD) != 0 ? "any" : ""};
    return (struct pin_recordplan_input){.zone = "example.com",
        .zones_below = below,
        .n_zones_below = 1,
        .registry = registry,
        .is_whole = true,
        .unsynced = c2,
        .n_unsynced = (flags & PIN_C2_UNSYNCED) != 0,
        .types = types,
        .n_types = N_ELEMS(types),
        .has_set_ids = (flags & PIN_SET_IDS) != 0,
        .policy = (flags & PIN_UPSERT) != 0   ? PIN_RECORDPLAN_UPSERT_ONLY
                  : (flags & PIN_CREATE) != 0 ? PIN_RECORDPLAN_CREATE_ONLY
                                              : PIN_RECORDPLAN_SYNC,
        .delete_percent = 20,
        .adopt_from = (flags & PIN_ADOPT) != 0 ? "old" : NULL};
}

static struct pin_recordplan make(const struct pin_recordplan_input *input, struct pin_arena *arena)
{
    struct pin_recordplan plan;
    struct pin_why why = {0};
    if (pin_recordplan_make(input, arena, &plan, &why) != PIN_OK) {
        fail_msg("%s", why.text);
    }
    return plan;
}

static void test_plan(void **state)
{
    const struct plan_case *c = *state;
    struct pin_arena *arena = pin_arena_new("test", 64 << 20);
    struct pin_registry registry;
    struct pin_recordplan_input input = make_input(c->flags, &registry);
    struct pin_recordset *after = NULL;
    input.claims = pin_recordworld_read(arena, c->claims, &input.n_claims);
    input.actual = pin_recordworld_read(arena, c->actual, &input.n_actual);
    struct pin_recordplan plan = make(&input, arena);
    assert_string_equal(pin_recordworld_show(arena, &plan), c->want);
    /* Once done, nothing is left to do, and the conflicts are the same. */
    assert_true(
        pin_recordplan_apply(&plan, input.actual, input.n_actual, arena, &after, &input.n_actual));
    input.actual = after;
    struct pin_recordplan again = make(&input, arena);
    assert_string_equal(again.text, "");
    assert_int_equal(again.n_conflicts, plan.n_conflicts);
    pin_arena_free(arena);
}

/* What people see: each set that is wanted or ours, as it should be beside what it is. */
static void test_items(void **state)
{
    (void)state;
    static const char want[] = "app.example.com A wanted there demo ours\n"
                               "gone.example.com A - there demo ours\n"
                               "mail.example.com A wanted there  refused\n"
                               "new.example.com A wanted - \n"
                               "taken.example.com A wanted there other refused\n";
    struct pin_arena *arena = pin_arena_new("test", 64 << 20);
    struct pin_registry registry;
    struct pin_recordplan_input input = make_input(PIN_SYNC, &registry);
    struct pin_text text = {0};
    input.claims = pin_recordworld_read(arena,
        APP_WANTED "mail.example.com A 0 192.0.2.1 from c1 service/shop/mail 100\n"
                   "new.example.com A 0 192.0.2.1 from c1 service/shop/new 100\n"
                   "taken.example.com A 0 192.0.2.1 from c1 service/shop/taken 100\n",
        &input.n_claims);
    input.actual = pin_recordworld_read(arena,
        APP_THERE APP_TXT "mail.example.com A 0 192.0.2.8\n"
                          "gone.example.com A 0 192.0.2.1\n"
                          "a-gone.example.com TXT 0 @demo:service/shop/gone:c1\n"
                          "foreign.example.com A 0 192.0.2.1\n"
                          "taken.example.com A 0 192.0.2.1\n"
                          "a-taken.example.com TXT 0 @other:service/shop/taken\n",
        &input.n_actual);
    struct pin_recordplan plan = make(&input, arena);
    for (size_t i = 0; i < plan.n_items; i++) {
        const struct pin_recordplan_item *item = &plan.items[i];
        const struct pin_recordset *set = item->wanted != NULL ? item->wanted : item->there;
        pin_text_putf(&text, "%s %s %s %s %s%s%s\n", set->name, set->type,
            item->wanted != NULL ? "wanted" : "-", item->there != NULL ? "there" : "-", item->owner,
            item->is_ours ? " ours" : "", item->is_refused ? " refused" : "");
    }
    assert_string_equal(pin_text_get(&text), want);
    pin_text_done(&text);
    pin_arena_free(arena);
}

int main(void)
{
    struct CMUnitTest tests[N_ELEMS(cases) + 1] = {{0}};
    tests[N_ELEMS(cases)] = (struct CMUnitTest){.name = "items", .test_func = test_items};
    for (size_t i = 0; i < N_ELEMS(cases); i++) {
        tests[i] = (struct CMUnitTest){
            .name = cases[i].name, .test_func = test_plan, .initial_state = &cases[i]};
    }
    return cmocka_run_group_tests_name("recordplan", tests, NULL, NULL);
}
