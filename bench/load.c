/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The load generator: keeps a fixed number of queries in flight over one UDP socket.
 *
 * All queries are built in wire format at the start; a round then costs two system calls for 64
 * of them, and it never sleeps, so that the server's sends never pay for waking it. Each answer
 * must carry a pending id, the QR bit and the question that was asked.
 *
 * Prints one line of key=value pairs and exits 0; 1 when nothing was answered; 2 on misuse.
 */

#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "question.h"

#define BATCH       64U
#define SLOT_BYTES  1280U
#define N_ID        65536U
#define WINDOW_MAX  32768U            /* ids must not come round while their query is in flight */
#define QUIET_NS    (200 * NS_PER_MS) /* in flight, and nothing heard for so long: lost */
#define N_RCODE     16U
#define NOT_PENDING UINT32_MAX

struct load_options {
    const char *server;     /* ADDR:PORT, IPv4 */
    const char *names_path; /* one name a line */
    uint16_t qtype;
    unsigned long window;
    double seconds;
    unsigned long n_query; /* 0 = until the seconds are over */
    bool with_edns;
};

/* Ready queries in wire format, one behind the other; `order` shuffles them once. */
struct query_set {
    uint8_t *wire;
    uint32_t *start; /* n + 1 offsets into wire */
    uint32_t *order; /* n indexes */
    uint32_t n;
};

struct tally {
    uint64_t n_sent;
    uint64_t n_answered;
    uint64_t n_lost;
    uint64_t n_unasked; /* late, doubled or never asked: the id was not pending */
    uint64_t n_wrong;   /* no QR bit, another question, or shorter than a question */
    uint64_t n_truncated;
    uint64_t answer_bytes;
    uint64_t n_rcode[N_RCODE];
};

struct load {
    int fd;
    const struct query_set *queries;
    uint32_t pending[N_ID]; /* id -> index of its query, or NOT_PENDING */
    uint16_t next_id;
    uint32_t next_order;
    uint64_t n_in_flight;
    struct mmsghdr out[BATCH];
    struct iovec out_iov[BATCH];
    uint8_t out_slot[BATCH][QUESTION_BYTES_MAX];
    struct mmsghdr in[BATCH];
    struct iovec in_iov[BATCH];
    uint8_t in_slot[BATCH][SLOT_BYTES];
    struct tally tally;
};

static struct load load;
static struct query_set all_queries; /* lives as long as the process */

/* A small generator of fixed seed (xorshift64*): every run asks in the same order. */
static uint64_t next_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545F4914F6CDD1DU;
}

static void shuffle(uint32_t *order, uint32_t n)
{
    uint64_t state = 20260101;

    for (uint32_t i = 0; i < n; i++) {
        order[i] = i;
    }
    for (uint32_t i = n; i > 1; i--) {
        uint32_t j = (uint32_t)(next_random(&state) % i);
        uint32_t swapped = order[i - 1];
        order[i - 1] = order[j];
        order[j] = swapped;
    }
}

/* Counts the lines, so that the arrays are allocated once. */
static uint32_t count_lines(FILE *file)
{
    uint32_t n = 0;

    for (int c; (c = getc(file)) != EOF && n < UINT32_MAX / QUESTION_BYTES_MAX;) {
        n += c == '\n';
    }
    rewind(file);
    return n;
}

static bool fill_queries(FILE *file, const struct load_options *options, struct query_set *set)
{
    char line[QUESTION_NAME_MAX];
    size_t end = 0;

    while (fgets(line, sizeof(line), file) != NULL) {
        line[strcspn(line, "\r\n")] = '\0';
        if (line[0] == '\0') {
            continue;
        }
        size_t bytes =
            pin_question_encode(line, options->qtype, options->with_edns, set->wire + end);
        if (bytes == 0) {
            (void)fprintf(stderr, "%s: '%s' is no domain name\n", options->names_path, line);
            return false;
        }
        set->start[set->n++] = (uint32_t)end;
        end += bytes;
    }
    set->start[set->n] = (uint32_t)end;
    return set->n > 0;
}

/* Reads the names into ready queries; the arrays live until the process ends. */
static bool read_queries(const struct load_options *options, struct query_set *set)
{
    FILE *file = fopen(options->names_path, "re");
    if (file == NULL) {
        perror(options->names_path);
        return false;
    }
    size_t n = (size_t)count_lines(file) + 1; /* the last line may lack its end */
    set->wire = malloc(n * QUESTION_BYTES_MAX);
    set->start = calloc(n + 1, sizeof(*set->start));
    set->order = calloc(n, sizeof(*set->order));
    bool is_read = set->wire != NULL && set->start != NULL && set->order != NULL
                   && fill_queries(file, options, set);
    (void)fclose(file);
    if (is_read) {
        shuffle(set->order, set->n);
    }
    return is_read;
}

static void arm(struct load *self)
{
    for (size_t i = 0; i < BATCH; i++) {
        self->out_iov[i].iov_base = self->out_slot[i];
        self->in_iov[i] = (struct iovec){.iov_base = self->in_slot[i], .iov_len = SLOT_BYTES};
        self->out[i].msg_hdr = (struct msghdr){.msg_iov = &self->out_iov[i], .msg_iovlen = 1};
        self->in[i].msg_hdr = (struct msghdr){.msg_iov = &self->in_iov[i], .msg_iovlen = 1};
    }
    for (size_t i = 0; i < N_ID; i++) {
        self->pending[i] = NOT_PENDING;
    }
}

/* Puts the next query under the next id into a slot of the batch. */
static void put_query(struct load *self, size_t slot_i)
{
    const struct query_set *queries = self->queries;
    uint32_t query_i = queries->order[self->next_order];
    uint32_t bytes = queries->start[query_i + 1] - queries->start[query_i];
    uint16_t id = self->next_id;
    uint8_t *slot = self->out_slot[slot_i];

    (void)memcpy(slot, queries->wire + queries->start[query_i], bytes);
    slot[0] = (uint8_t)(id >> 8);
    slot[1] = (uint8_t)id;
    self->out_iov[slot_i].iov_len = bytes;
    if (self->pending[id] != NOT_PENDING) { /* a whole round of ids later: it will not come */
        self->tally.n_lost++;
        self->n_in_flight--;
    }
    self->pending[id] = query_i;
    self->n_in_flight++;
    self->next_id++;
    self->next_order = self->next_order + 1 < queries->n ? self->next_order + 1 : 0;
}

/* Sends up to one batch; what the kernel does not take counts as lost at once. */
static void send_batch(struct load *self, size_t n)
{
    uint16_t first_id = self->next_id;
    for (size_t i = 0; i < n; i++) {
        put_query(self, i);
    }
    int sent = sendmmsg(self->fd, self->out, (unsigned)n, 0);
    size_t n_sent = sent > 0 ? (size_t)sent : 0;
    self->tally.n_sent += n;
    for (size_t i = n_sent; i < n; i++) {
        self->pending[(uint16_t)(first_id + i)] = NOT_PENDING;
        self->n_in_flight--;
        self->tally.n_lost++;
    }
}

/* Checks one answer against what was asked under its id, and counts it. */
static void take_answer(struct load *self, const uint8_t *wire, size_t bytes)
{
    if (bytes < QUESTION_HEADER_BYTES) {
        self->tally.n_wrong++;
        return;
    }
    uint16_t id = (uint16_t)((uint16_t)(wire[0] << 8) | wire[1]);
    uint32_t query_i = self->pending[id];
    if (query_i == NOT_PENDING) {
        self->tally.n_unasked++;
        return;
    }
    self->pending[id] = NOT_PENDING;
    self->n_in_flight--;
    if (!pin_question_is_echoed(self->queries->wire + self->queries->start[query_i], wire, bytes)) {
        self->tally.n_wrong++;
        return;
    }
    self->tally.n_answered++;
    self->tally.answer_bytes += bytes;
    self->tally.n_truncated += pin_question_is_truncated(wire);
    self->tally.n_rcode[pin_question_rcode(wire)]++;
}

/* Takes what has arrived; returns how many, and never waits. */
static size_t receive_batch(struct load *self)
{
    int got = recvmmsg(self->fd, self->in, BATCH, MSG_DONTWAIT, NULL);
    size_t n = got > 0 ? (size_t)got : 0;
    for (size_t i = 0; i < n; i++) {
        take_answer(self, self->in_slot[i], self->in[i].msg_len);
    }
    return n;
}

static void give_up_pending(struct load *self)
{
    for (size_t i = 0; i < N_ID; i++) {
        self->tally.n_lost += self->pending[i] != NOT_PENDING;
        self->pending[i] = NOT_PENDING;
    }
    self->n_in_flight = 0;
}

/* Waits for the last answers, so that the server's CPU time and the count belong together. */
static void drain(struct load *self)
{
    uint64_t quiet_since_ns = pin_question_now_ns();

    while (self->n_in_flight > 0 && pin_question_now_ns() - quiet_since_ns < QUIET_NS) {
        if (receive_batch(self) > 0) {
            quiet_since_ns = pin_question_now_ns();
        }
    }
    give_up_pending(self);
}

/* How many queries the window, the batch and the total leave room for. */
static size_t room(const struct load *self, const struct load_options *options)
{
    uint64_t n = options->window - self->n_in_flight;
    if (options->n_query > 0 && options->n_query - self->tally.n_sent < n) {
        n = options->n_query - self->tally.n_sent;
    }
    return n < BATCH ? (size_t)n : BATCH;
}

/* Asks until the time or the number of queries is over. Returns the nanoseconds it took. */
static uint64_t run(struct load *self, const struct load_options *options)
{
    uint64_t start_ns = pin_question_now_ns();
    uint64_t end_ns = start_ns + (uint64_t)(options->seconds * (double)(1000 * NS_PER_MS));
    uint64_t heard_ns = start_ns;

    for (uint64_t now_ns = start_ns; now_ns < end_ns; now_ns = pin_question_now_ns()) {
        size_t n = room(self, options);
        /* Small batches would cost the server more per query than the full ones it is due. */
        if (n == BATCH || (n > 0 && self->n_in_flight == 0)) {
            send_batch(self, n);
        }
        if (receive_batch(self) > 0) {
            heard_ns = now_ns;
        } else if (now_ns - heard_ns > QUIET_NS) {
            give_up_pending(self);
            heard_ns = now_ns;
        }
        if (options->n_query > 0 && self->tally.n_sent >= options->n_query) {
            break;
        }
    }
    uint64_t sending_ns = pin_question_now_ns() - start_ns;
    drain(self);
    return sending_ns;
}

static void print_tally(const struct tally *tally, uint64_t elapsed_ns)
{
    static const char *const rcode_names[N_RCODE] = {"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN",
        "NOTIMP", "REFUSED", "YXDOMAIN", "YXRRSET", "NXRRSET", "NOTAUTH", "NOTZONE", "R11", "R12",
        "R13", "R14", "R15"};
    double seconds = (double)elapsed_ns / (double)(1000 * NS_PER_MS);
    uint64_t mean_bytes = tally->n_answered > 0 ? tally->answer_bytes / tally->n_answered : 0;

    (void)printf("sent=%ju answered=%ju lost=%ju unasked=%ju wrong=%ju truncated=%ju",
        (uintmax_t)tally->n_sent, (uintmax_t)tally->n_answered, (uintmax_t)tally->n_lost,
        (uintmax_t)tally->n_unasked, (uintmax_t)tally->n_wrong, (uintmax_t)tally->n_truncated);
    for (size_t i = 0; i < N_RCODE; i++) {
        if (tally->n_rcode[i] > 0) {
            (void)printf(" %s=%ju", rcode_names[i], (uintmax_t)tally->n_rcode[i]);
        }
    }
    (void)printf(" answer_bytes=%ju seconds=%.3f qps=%.0f\n", (uintmax_t)mean_bytes, seconds,
        (double)tally->n_answered / seconds);
}

static int usage(const char *program)
{
    (void)fprintf(stderr,
        "usage: %s --server ADDR:PORT --names FILE [--type A|AAAA|SRV|TYPEn] [--window N]\n"
        "       [--seconds S] [--queries N] [--edns]\n"
        "Asks the names of FILE in a shuffled order, over and over, with N queries in flight\n"
        "(64 to %u, default 256), for S seconds (default 3) or until N queries are sent.\n",
        program, WINDOW_MAX);
    return 2;
}

static bool parse_options(int argc, char **argv, struct load_options *ret_options)
{
    static const struct option options[] = {{"server", required_argument, NULL, 's'},
        {"names", required_argument, NULL, 'f'}, {"type", required_argument, NULL, 't'},
        {"window", required_argument, NULL, 'w'}, {"seconds", required_argument, NULL, 'S'},
        {"queries", required_argument, NULL, 'n'}, {"edns", no_argument, NULL, 'e'}, {0}};
    struct load_options o = {.qtype = 1, .window = 256, .seconds = 3};
    bool is_good = true;

    /* NOLINTNEXTLINE(concurrency-mt-unsafe): there is one thread */
    for (int opt; (opt = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (opt) {
        case 's':
            o.server = optarg;
            break;
        case 'f':
            o.names_path = optarg;
            break;
        case 't':
            is_good = is_good && pin_question_parse_type(optarg, &o.qtype);
            break;
        case 'w':
            o.window = strtoul(optarg, NULL, 10);
            break;
        case 'S':
            o.seconds = strtod(optarg, NULL);
            break;
        case 'n':
            o.n_query = strtoul(optarg, NULL, 10);
            break;
        case 'e':
            o.with_edns = true;
            break;
        default:
            is_good = false;
        }
    }
    *ret_options = o;
    return is_good && optind == argc && o.server != NULL && o.names_path != NULL
           && o.window >= BATCH && o.window <= WINDOW_MAX && o.seconds > 0 && o.seconds <= 3600;
}

int main(int argc, char **argv)
{
    struct load_options options;

    if (!parse_options(argc, argv, &options)) {
        return usage(argv[0]);
    }
    if (!read_queries(&options, &all_queries)) {
        return 2;
    }
    load.queries = &all_queries;
    load.fd = pin_question_connect(options.server);
    if (load.fd < 0) {
        perror(options.server);
        return 2;
    }
    arm(&load);
    uint64_t elapsed_ns = run(&load, &options);
    print_tally(&load.tally, elapsed_ns);
    return load.tally.n_answered > 0 ? 0 : 1;
}
