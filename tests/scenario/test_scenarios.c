/* SPDX-License-Identifier: Apache-2.0 */

/* Plays every case of tests/scenario/<name>.scn: events and time go in, questions are asked. */

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/log.h"
#include "pintle/base/rcu.h"

#include "support/player.h"

#define FILES_MAX 64u
#define CASES_MAX 1024u

/* One case of one file. */
struct play {
    char title[320];
    const struct pin_script *script;
    const struct pin_script_block *block;
};

static struct pin_script scripts[FILES_MAX];
static struct play plays[CASES_MAX];
static size_t n_scripts;
static size_t n_plays;
static bool has_heirs; /* PINTLE_HEIRS: settings change behind each publication, to the same ones */

static void test_case(void **state)
{
    static struct pin_player player;
    const struct play *play = *state;
    bool is_fine = pin_player_play(&player, play->script, play->block, has_heirs);
    if (!is_fine) {
        print_error("%s", pin_text_get(&player.failures));
    }
    pin_player_done(&player);
    assert_true(is_fine);
}

static int is_scenario(const struct dirent *entry)
{
    size_t bytes = strlen(entry->d_name);
    return bytes > 4 && strcmp(entry->d_name + bytes - 4, ".scn") == 0;
}

static void add_plays(const struct pin_script *script)
{
    for (size_t i = 0; i < script->n_blocks && n_plays < CASES_MAX; i++) {
        if (script->blocks[i].is_case) {
            struct play *play = &plays[n_plays++];
            play->script = script;
            play->block = &script->blocks[i];
            (void)snprintf(play->title, sizeof(play->title), "%s:%u %s",
                strrchr(script->name, '/') + 1, script->blocks[i].number, script->blocks[i].title);
        }
    }
}

/* Reads all files, in the order of their names. False with a message when one cannot be read. */
static bool read_scripts(const char *source_dir)
{
    char folder[4096];
    struct dirent **entries = NULL;
    bool is_ok = true;
    (void)snprintf(folder, sizeof(folder), "%s/tests/scenario", source_dir);
    int n = scandir(folder, &entries, is_scenario, alphasort);
    for (int i = 0; i < n; i++) {
        char path[4608];
        char name[512];
        struct pin_why why = {0};
        (void)snprintf(path, sizeof(path), "%s/%s", folder, entries[i]->d_name);
        (void)snprintf(name, sizeof(name), "tests/scenario/%s", entries[i]->d_name);
        if (n_scripts == FILES_MAX
            || pin_script_read(path, name, &scripts[n_scripts], &why) != PIN_OK) {
            (void)fprintf(stderr, "%s\n", why.text);
            is_ok = false;
        } else {
            add_plays(&scripts[n_scripts++]);
        }
        free(entries[i]);
    }
    free(entries);
    return is_ok && n_plays > 0;
}

int main(int argc, char **argv)
{
    static struct CMUnitTest tests[CASES_MAX];
    const char *source_dir = getenv("PINTLE_SOURCE_DIR");
    has_heirs = getenv("PINTLE_HEIRS") != NULL;
    if (!read_scripts(source_dir != NULL ? source_dir : ".")) {
        (void)fprintf(stderr, "no scenario could be read: is PINTLE_SOURCE_DIR set?\n");
        return 1;
    }
    for (size_t i = 0; i < n_plays; i++) {
        tests[i] = (struct CMUnitTest){
            .name = plays[i].title, .test_func = test_case, .initial_state = &plays[i]};
    }
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]); /* a pattern such as "*137*" */
    }
    pin_log_setup(PIN_LOG_ERROR, PIN_LOG_TEXT); /* warnings are for people */
    pin_rcu_register();
    int n_failed = _cmocka_run_group_tests("scenarios", tests, n_plays, NULL, NULL);
    pin_rcu_unregister();
    for (size_t i = 0; i < n_scripts; i++) {
        pin_script_done(&scripts[i]);
    }
    return n_failed;
}
