/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Completion. Shells know nothing of the tables: the scripts that `pintlectl completion` prints ask
 * `pintlectl __complete WORDS... CURRENT` for each key, so that they fit whatever is installed. It
 * answers as commands made with Cobra do, which `kubectl` asks of its plugins, too: a line for each
 * word, with a tab and a remark, and ":4" at the end; ":0" when file names are wanted.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/base/macros.h"

#include "cli/api.h"

/* Somebody waits for the key to have its effect. */
#define ASK_MS 1000L

#define WORD_MAX 300

/* What is typed, and what is found for it. */
struct completion {
    struct pin_ctl ctl;  /* words, and --admin */
    const char *current; /* The word that is being typed. */
    size_t prefix_len;
    struct pin_text lines;
    bool wants_files;
};

/* --- Output --------------------------------------------------------------------------------- */

/* Adds a word if it goes on from what is typed. Words that a shell might take apart are left out.
 */
static void offer(struct completion *self, const char *word, size_t len, const char *remark)
{
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._/@:=,";
    const char *typed = self->current + self->prefix_len;
    if (len == 0 || len > WORD_MAX || strspn(word, plain) < len
        || strncmp(word, typed, strlen(typed)) != 0 || strlen(typed) > len) {
        return;
    }
    pin_text_putn(&self->lines, self->current, self->prefix_len);
    pin_text_putn(&self->lines, word, len);
    if (remark != NULL && remark[0] != '\0') {
        pin_text_putf(&self->lines, "\t%s", remark);
    }
    pin_text_putc(&self->lines, '\n');
}

/* --- What the daemon knows ------------------------------------------------------------------ */

/* Where words of one kind come from. */
struct source {
    const char *completes; /* As in the tables. */
    const char *path;      /* A page with "items". */
    const char *key;       /* The member of each that is a word (NULL: a service's name), and */
    const char *list;      /* its list of more of them, or NULL: */
    const char *list_key;  /* their member, or NULL where they are texts. */
};

static const struct source sources[] = {
    {"@clusters", "/api/v1/clusters", "name", NULL, NULL},
    {"@names", "/api/v1/names", "assignedName", "hostnames", NULL},
    {"@names", "/api/v1/services", NULL, NULL, NULL}, /* the first page's */
    {"@zones", "/api/v1/records", "zone", "zones", "zone"},
};

/* "web.shop.svc.clusterset.local" */
static void offer_service(struct completion *self, const struct pin_tree *item)
{
    char name[600];
    (void)snprintf(name, sizeof(name), "%s.%s.%s", pin_tree_string(item, "name", ""),
        pin_tree_string(item, "namespace", ""), pin_tree_string(item, "below", ""));
    offer(self, name, strlen(name), "Service");
}

static void offer_item(
    struct completion *self, const struct source *source, const struct pin_tree *item)
{
    if (source->key == NULL) {
        offer_service(self, item);
        return;
    }
    const char *word = pin_tree_string(item, source->key, "");
    const struct pin_tree *list = source->list == NULL ? NULL : pin_tree_list(item, source->list);
    offer(self, word, strlen(word), pin_tree_string(item, "kind", NULL));
    PIN_TREE_EACH(other, list)
    {
        word = source->list_key == NULL ? pin_tree_text(other, "")
                                        : pin_tree_string(other, source->list_key, "");
        offer(self, word, strlen(word), NULL);
    }
}

/* False: nothing came in time, and nothing will. */
static bool offer_page(struct completion *self, const struct source *source)
{
    struct pin_api_reply reply = {0};
    bool has_come =
        pin_api_get_within(self->ctl.admin, source->path, ASK_MS, &reply, NULL) == PIN_OK;
    if (has_come && reply.status == 200) {
        PIN_TREE_EACH(item, pin_tree_list(reply.tree, "items"))
        {
            offer_item(self, source, item);
        }
    }
    pin_api_reply_done(&reply);
    return has_come;
}

/* Adds the words of pages; silence when there is no daemon. False: there is no such page. */
static bool offer_known(struct completion *self, const char *completes)
{
    bool is_known = false;
    bool is_there = true;
    for (size_t i = 0; i < N_ELEMS(sources); i++) {
        if (strcmp(sources[i].completes, completes) == 0) {
            is_there = is_there && offer_page(self, &sources[i]);
            is_known = true;
        }
    }
    return is_known;
}

/* --- What the tables know ------------------------------------------------------------------- */

static void offer_choices(struct completion *self, const char *choices)
{
    for (const char *word = choices; *word != '\0';) {
        size_t len = strcspn(word, "|");
        offer(self, word, len, NULL);
        word += len + (word[len] == '|' ? 1 : 0);
    }
}

/* First words of commands, each once; or the second ones after `first`. */
static void offer_commands(struct completion *self, const char *first)
{
    const char *last = "";
    size_t last_len = 0;
    for (size_t i = 0; i < pin_ctl_n_commands; i++) {
        const struct pin_ctl_command *command = &pin_ctl_commands[i];
        size_t len = strcspn(command->name, " ");
        bool has_second = command->name[len] == ' ';
        if (command->help == NULL) {
            continue;
        }
        if (first != NULL) {
            if (has_second && strlen(first) == len && strncmp(first, command->name, len) == 0) {
                offer(
                    self, command->name + len + 1, strlen(command->name + len + 1), command->help);
            }
        } else if (len != last_len || strncmp(last, command->name, len) != 0) {
            offer(self, command->name, len, has_second ? NULL : command->help);
        }
        last = command->name;
        last_len = len;
    }
}

static void offer_words(struct completion *self, const char *completes, const char *before)
{
    if (completes == NULL || offer_known(self, completes)) {
        return;
    }
    if (strcmp(completes, "@commands") == 0) {
        offer_commands(self, before);
    } else if (strcmp(completes, "@files") == 0) {
        self->wants_files = true;
    } else {
        offer_choices(self, completes);
    }
}

static void offer_flags(struct completion *self, const struct pin_ctl_command *command)
{
    for (int id = PIN_FLAG_MAX - 1; id >= 0; id--) {
        const struct pin_ctl_flag *flag = &pin_ctl_flags[id];
        const char *unused = NULL;
        if (flag->help != NULL && pin_ctl_command_has(command, (enum pin_ctl_flag_id)id)
            && pin_ctl_flag_find(command, flag->name, &unused) == flag) {
            offer(self, flag->name, strlen(flag->name), flag->help);
        }
    }
}

/* --- What is typed -------------------------------------------------------------------------- */

/* Takes the whole words; the option that waits for its value, or NULL. */
static const struct pin_ctl_flag *take_words(
    struct completion *self, char *const *words, size_t n_words, size_t *ret_taken)
{
    const struct pin_ctl_flag *open = NULL;
    const struct pin_ctl_command *command = NULL;
    for (size_t i = 0; i < n_words; i++) {
        const char *value = NULL;
        command = pin_ctl_command_find(self->ctl.words, self->ctl.n_words, ret_taken);
        if (strcmp(words[i], "=") == 0 && open != NULL) {
            continue; /* bash makes three words of --from=c1 */
        }
        if (open != NULL) {
            (void)pin_ctl_flag_set(&self->ctl, open, words[i], NULL);
            open = NULL;
        } else if (words[i][0] == '-') {
            const struct pin_ctl_flag *flag = pin_ctl_flag_find(command, words[i], &value);
            flag = flag != NULL ? flag : pin_ctl_flag_find(NULL, words[i], &value);
            if (flag != NULL && value != NULL) {
                (void)pin_ctl_flag_set(&self->ctl, flag, value, NULL);
            }
            open = flag != NULL && flag->value != NULL && value == NULL ? flag : NULL;
        } else if (self->ctl.n_words < PIN_CTL_WORDS_MAX) {
            self->ctl.words[self->ctl.n_words++] = words[i];
        }
    }
    return open;
}

static void complete_word(struct completion *self)
{
    size_t n_taken = 0;
    const struct pin_ctl *ctl = &self->ctl;
    const struct pin_ctl_command *command =
        pin_ctl_command_find(ctl->words, ctl->n_words, &n_taken);
    const char *value = NULL;
    if (self->current[0] == '-') {
        const struct pin_ctl_flag *flag = pin_ctl_flag_find(command, self->current, &value);
        if (flag != NULL && value != NULL) {
            self->prefix_len = (size_t)(value - self->current);
            offer_words(self, flag->completes, NULL);
        } else {
            offer_flags(self, command);
        }
        return;
    }
    if (command == NULL) {
        if (ctl->n_words < 2) {
            offer_commands(self, ctl->n_words == 0 ? NULL : ctl->words[0]);
        }
        return;
    }
    size_t i = ctl->n_words - n_taken;
    if (i < command->n_words_max) {
        offer_words(self, command->completes[i < PIN_CTL_COMPLETES_MAX ? i : 1],
            i == 0 ? NULL : ctl->words[n_taken]);
    }
}

enum pin_ctl_exit pin_ctl_complete(const struct pin_ctl *ctl)
{
    struct completion self = {.ctl = *ctl, .current = ""};
    size_t n_taken = 0;
    self.ctl.n_words = 0;
    size_t n_whole = ctl->n_rest > 0 ? ctl->n_rest - 1 : 0;
    if (ctl->n_rest > 0) {
        self.current = ctl->rest[n_whole];
    }
    const struct pin_ctl_flag *open = take_words(&self, ctl->rest, n_whole, &n_taken);
    if (open != NULL) {
        self.current = strcmp(self.current, "=") == 0 ? "" : self.current;
        offer_words(&self, open->completes, NULL);
    } else {
        complete_word(&self);
    }
    (void)printf("%s:%d\n", pin_text_get(&self.lines), self.wants_files ? 0 : 4);
    pin_text_done(&self.lines);
    return PIN_CTL_OK;
}

/* --- Scripts -------------------------------------------------------------------------------- */

static const char script_bash[] =
    "# Completion of pintlectl for bash: source <(pintlectl completion bash)\n"
    "_pintlectl() {\n"
    "    local line\n"
    "    COMPREPLY=()\n"
    "    while IFS= read -r line; do\n"
    "        case $line in\n"
    "        :0) compopt -o default 2>/dev/null ;;\n"
    "        :*) ;;\n"
    "        *) COMPREPLY+=(\"${line%%$'\\t'*}\") ;;\n"
    "        esac\n"
    "    done < <(\"${COMP_WORDS[0]}\" __complete \"${COMP_WORDS[@]:1:COMP_CWORD}\" 2>/dev/null)\n"
    "}\n"
    "complete -F _pintlectl pintlectl kubectl-pintle\n";

static const char script_zsh[] =
    "#compdef pintlectl kubectl-pintle\n"
    "# Completion of pintlectl for zsh: source <(pintlectl completion zsh), after compinit\n"
    "_pintlectl() {\n"
    "    local line word directive=4\n"
    "    local -a found\n"
    "    while IFS= read -r line; do\n"
    "        if [[ $line == :<-> ]]; then\n"
    "            directive=${line#:}\n"
    "        else\n"
    "            word=${line%%$'\\t'*}\n"
    "            word=${word//:/\\\\:}\n"
    "            [[ $line == *$'\\t'* ]] && word+=:${line#*$'\\t'}\n"
    "            found+=(\"$word\")\n"
    "        fi\n"
    "    done < <(\"${words[1]}\" __complete \"${(@)words[2,CURRENT]}\" 2>/dev/null)\n"
    "    if (( directive == 0 )); then\n"
    "        _files\n"
    "    else\n"
    "        _describe pintlectl found\n"
    "    fi\n"
    "}\n"
    "if [[ ${funcstack[1]} == _pintlectl ]]; then\n"
    "    _pintlectl \"$@\"\n"
    "else\n"
    "    compdef _pintlectl pintlectl kubectl-pintle\n"
    "fi\n";

static const char script_fish[] =
    "# Completion of pintlectl for fish: pintlectl completion fish | source\n"
    "function __pintlectl_complete\n"
    "    set -l whole (commandline -opc)\n"
    "    set -l current (commandline -ct)\n"
    "    for line in ($whole[1] __complete $whole[2..-1] \"$current\" 2>/dev/null)\n"
    "        switch $line\n"
    "            case ':0'\n"
    "                __fish_complete_path \"$current\"\n"
    "            case ':*'\n"
    "            case '*'\n"
    "                echo $line\n"
    "        end\n"
    "    end\n"
    "end\n"
    "complete -c pintlectl -f -a '(__pintlectl_complete)'\n"
    "complete -c kubectl-pintle -f -a '(__pintlectl_complete)'\n";

enum pin_ctl_exit pin_ctl_completion(const struct pin_ctl *ctl)
{
    static const struct {
        const char *shell;
        const char *script;
    } rows[] = {{"bash", script_bash}, {"zsh", script_zsh}, {"fish", script_fish}};
    for (size_t i = 0; i < N_ELEMS(rows); i++) {
        if (strcmp(rows[i].shell, ctl->words[0]) == 0) {
            (void)fputs(rows[i].script, stdout);
            return PIN_CTL_OK;
        }
    }
    (void)fprintf(
        stderr, "pintlectl: completion is for bash, zsh and fish, not \"%s\"\n", ctl->words[0]);
    return PIN_CTL_USAGE;
}
