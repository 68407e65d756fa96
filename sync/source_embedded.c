/* SPDX-License-Identifier: Apache-2.0 */

/* Manifests that are part of the program: read once, and nothing ever changes. */

#include <stdlib.h>
#include <string.h>

#include "pintle/base/clock.h"
#include "pintle/base/macros.h"

#include "fileset.h"
#include "manifest.h"
#include "source.h"

struct embedded {
    struct pin_source source;
    struct pin_fileset files;
    const struct pin_embedded_file *texts;
    size_t n_texts;
    size_t next; /* The first that was not read yet. */
    bool is_started;
};

static struct embedded *from_source(struct pin_source *source)
{
    return container_of(source, struct embedded, source);
}

/* Texts do not change, so who lost an object once never gets it back. */
static void on_reread(void *arg, const char *name)
{
    (void)arg;
    (void)name;
}

/* "c1/cluster.yaml" holds settings, not objects. */
static bool is_settings(const char *name)
{
    const char *slash = strrchr(name, '/');
    return strcmp(slash == NULL ? name : slash + 1, "cluster.yaml") == 0;
}

static void read_text(struct embedded *self, const struct pin_embedded_file *text)
{
    struct pin_manifest manifest = {0};
    struct pin_why why = {0};
    enum pin_err err = pin_manifest_read(
        text->name, self->source.where, text->text, text->text_bytes, &manifest, &why);
    if (err != PIN_OK) {
        pin_source_set_trouble(&self->source, &self->source.trouble, 1, "", "%s", why.text);
        pin_fileset_break(&self->files, text->name, why.text);
        return;
    }
    pin_fileset_apply(&self->files, text->name, &manifest, (uint64_t)pin_clock_mono_ns());
    pin_manifest_done(&manifest);
}

/* Reads on as long as there is room; the last text ends the list. */
static void read_on(struct embedded *self)
{
    while (self->next < self->n_texts && !pin_outbox_is_full(&self->source.outbox)) {
        const struct pin_embedded_file *text = &self->texts[self->next++];
        if (!is_settings(text->name)) {
            read_text(self, text);
        }
    }
    if (self->next < self->n_texts || self->source.stats.is_synced || !self->is_started) {
        return;
    }
    for (int kind = 0; kind < PIN_KIND_MAX; kind++) {
        self->source.stats.kinds[kind].is_listed = true;
        pin_source_mark(&self->source, PIN_DELTA_LIST_END, (enum pin_kind)kind);
    }
    pin_source_set_synced(&self->source);
}

static void embedded_start(struct pin_source *source)
{
    struct embedded *self = from_source(source);
    if (self->is_started) {
        return;
    }
    self->is_started = true;
    pin_source_set_up(source, true);
    for (int kind = 0; kind < PIN_KIND_MAX; kind++) {
        source->stats.kinds[kind].is_served = true;
        source->stats.kinds[kind].n_lists[PIN_LIST_START]++;
        pin_source_mark(source, PIN_DELTA_LIST_BEGIN, (enum pin_kind)kind);
    }
    read_on(self);
}

static void embedded_stop(struct pin_source *source)
{
    from_source(source)->next = from_source(source)->n_texts;
}

static void embedded_resume(struct pin_source *source)
{
    read_on(from_source(source));
}

/* The texts are read again: that finds the Pods, or lets go of them. */
static void embedded_want_pods(struct pin_source *source)
{
    struct embedded *self = from_source(source);
    if (self->is_started) {
        self->next = 0;
        read_on(self);
    }
}

static void embedded_free(struct pin_source *source)
{
    struct embedded *self = from_source(source);
    pin_fileset_done(&self->files);
    pin_source_done(source);
    free(self);
}

static const struct pin_source_ops embedded_ops = {
    .start = embedded_start,
    .stop = embedded_stop,
    .resume = embedded_resume,
    .want_pods = embedded_want_pods,
    .free = embedded_free,
};

struct pin_source *pin_source_embedded_new(struct pin_loop *loop,
    const struct pin_source_spec *spec, const struct pin_sync_sink *sink, struct pin_why *why)
{
    struct embedded *self = calloc(1, sizeof(*self));
    if (self != NULL) {
        self->texts = spec->files;
        self->n_texts = spec->n_files;
        self->files.source = &self->source;
        self->files.reread = on_reread;
        self->files.arg = self;
    }
    if (self == NULL
        || !pin_source_init(&self->source, &embedded_ops, loop, spec, sink, strdup("embedded"))) {
        if (self != NULL) {
            embedded_free(&self->source);
        }
        (void)pin_why_set(why, PIN_ENOMEM, "no memory for cluster '%s'", spec->cluster);
        return NULL;
    }
    return &self->source;
}
