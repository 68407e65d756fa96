/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The load generator over UDP: one socket, and one of two ways to ask.
 *
 * A window of queries is in flight all the time: that shows what a query costs. Or queries leave at
 * a rate, whatever the answers do, and each one's time counts from the moment it was due: that
 * shows latency. All queries are built in wire format at the start, and it never sleeps, so that
 * the server's sends never pay for waking it. Each answer must carry a pending id, the QR bit, the
 * question that was asked, and the rcode and number of RRs that the file of names wants.
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

#include "queries.h"
#include "question.h"
#include "spread.h"

#define BATCH       64U
#define SLOT_BYTES  1280U
#define N_ID        65536U
#define WINDOW_MAX  32768U            /* ids must not come round while their query is in flight */
#define QUIET_NS    (200 * NS_PER_MS) /* in flight, and nothing heard for so long: lost */
#define NOT_PENDING UINT32_MAX

struct load_options {
    const char *server;     /* ADDR:PORT, IPv4 */
    const char *names_path; /* see queries.h */
    struct pin_queries_form form;
    unsigned long window;
    double seconds;
    unsigned long n_query; /* 0 = until the seconds are over */
    double rate;           /* queries a second; 0 = as the window allows */
    bool wants_generation;
};

struct load {
    int fd;
    const struct pin_queries *queries;
    uint32_t pending[N_ID]; /* id -> index of its query, or NOT_PENDING */
    uint64_t due_ns[N_ID];  /* with a rate: when it should have left */
    uint16_t next_id;
    uint32_t next_order;
    uint64_t n_in_flight;
    bool wants_generation;
    bool is_timed;
    struct mmsghdr out[BATCH];
    struct iovec out_iov[BATCH];
    uint8_t out_slot[BATCH][QUESTION_BYTES_MAX];
    struct mmsghdr in[BATCH];
    struct iovec in_iov[BATCH];
    uint8_t in_slot[BATCH][SLOT_BYTES];
    struct pin_tally tally;
    struct pin_spread spread;
};

static struct load load;
static struct pin_queries all_queries; /* lives as long as the process */

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
    const struct pin_queries *queries = self->queries;
    uint32_t query_i = queries->order[self->next_order];
    const struct pin_asked *asked = &queries->asked[query_i];
    uint16_t id = self->next_id;
    uint8_t *slot = self->out_slot[slot_i];

    (void)memcpy(slot, queries->wire + asked->at, asked->bytes);
    slot[0] = (uint8_t)(id >> 8);
    slot[1] = (uint8_t)id;
    self->out_iov[slot_i].iov_len = asked->bytes;
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
static void take_answer(struct load *self, const uint8_t *wire, size_t bytes, uint64_t now_ns)
{
    if (bytes < QUESTION_HEADER_BYTES) {
        self->tally.n_heard[PIN_HEARD_WRONG]++;
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
    if (self->is_timed) {
        pin_spread_add(&self->spread, now_ns - self->due_ns[id]);
    }
    pin_queries_hear(self->queries, query_i, wire, bytes, self->wants_generation, &self->tally);
}

/* Takes what has arrived; returns how many, and never waits. */
static size_t receive_batch(struct load *self)
{
    int got = recvmmsg(self->fd, self->in, BATCH, MSG_DONTWAIT, NULL);
    size_t n = got > 0 ? (size_t)got : 0;
    uint64_t now_ns = n > 0 && self->is_timed ? pin_question_now_ns() : 0;
    for (size_t i = 0; i < n; i++) {
        take_answer(self, self->in_slot[i], self->in[i].msg_len, now_ns);
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

/* Sends what is due at a moment; the time of each counts from when it was due, so that a server
 * that holds the generator up pays for all that had to wait. */
static void send_due(struct load *self, uint64_t start_ns, uint64_t now_ns, double rate)
{
    double ns_each = (double)(1000 * NS_PER_MS) / rate;
    uint64_t n_due = (uint64_t)((double)(now_ns - start_ns) / ns_each) + 1;
    uint64_t n = n_due - self->tally.n_sent;
    uint64_t room_max = WINDOW_MAX - self->n_in_flight;

    n = n < BATCH ? n : BATCH;
    n = n < room_max ? n : room_max;
    for (uint64_t i = 0; i < n; i++) {
        uint64_t due_ns = (uint64_t)((double)(self->tally.n_sent + i) * ns_each);
        self->due_ns[(uint16_t)(self->next_id + i)] = start_ns + due_ns;
    }
    if (n > 0) {
        send_batch(self, (size_t)n);
    }
}

/* Asks at a rate until the time is over. Returns the nanoseconds it took. */
static uint64_t run_timed(struct load *self, const struct load_options *options)
{
    uint64_t start_ns = pin_question_now_ns();
    uint64_t end_ns = start_ns + (uint64_t)(options->seconds * (double)(1000 * NS_PER_MS));
    uint64_t now_ns = start_ns;

    for (; now_ns < end_ns; now_ns = pin_question_now_ns()) {
        send_due(self, start_ns, now_ns, options->rate);
        (void)receive_batch(self);
    }
    drain(self);
    return now_ns - start_ns;
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

static int usage(const char *program)
{
    (void)fprintf(stderr,
        "usage: %s --server ADDR:PORT --names FILE [--type A|AAAA|SRV|TYPEn] [--window N]\n"
        "       [--seconds S] [--queries N] [--rate QPS] [--edns] [--echo] [--generations]\n"
        "Asks the names of FILE (lines NAME [TYPE [RCODE [COUNT]]]) in a shuffled order, over and\n"
        "over, with N queries in flight (64 to %u, default 256), for S seconds (default 3) or "
        "until\n"
        "N queries are sent. --rate sends so many a second instead, and tells how long answers\n"
        "take. --echo wants nothing of the answers; --generations wants the addresses of an "
        "answer\n"
        "to differ in their two lowest bits only.\n",
        program, WINDOW_MAX);
    return 2;
}

/* Takes one option; false when its value is none. */
static bool parse_option(int option, const char *value, struct load_options *options)
{
    switch (option) {
    case 's':
        options->server = value;
        return true;
    case 'f':
        options->names_path = value;
        return true;
    case 't':
        return pin_question_parse_type(value, &options->form.qtype);
    case 'w':
        options->window = strtoul(value, NULL, 10);
        return true;
    case 'S':
        options->seconds = strtod(value, NULL);
        return true;
    case 'n':
        options->n_query = strtoul(value, NULL, 10);
        return true;
    case 'r':
        options->rate = strtod(value, NULL);
        return options->rate > 0;
    case 'e':
        options->form.with_edns = true;
        return true;
    case 'E':
        options->form.is_echo = true;
        return true;
    case 'g':
        options->wants_generation = true;
        return true;
    default:
        return false;
    }
}

static bool parse_options(int argc, char **argv, struct load_options *ret_options)
{
    static const struct option options[] = {{"server", required_argument, NULL, 's'},
        {"names", required_argument, NULL, 'f'}, {"type", required_argument, NULL, 't'},
        {"window", required_argument, NULL, 'w'}, {"seconds", required_argument, NULL, 'S'},
        {"queries", required_argument, NULL, 'n'}, {"rate", required_argument, NULL, 'r'},
        {"edns", no_argument, NULL, 'e'}, {"echo", no_argument, NULL, 'E'},
        {"generations", no_argument, NULL, 'g'}, {0}};
    struct load_options o = {.form.qtype = 1, .window = 256, .seconds = 3};
    bool is_good = true;

    /* NOLINTNEXTLINE(concurrency-mt-unsafe): there is one thread */
    for (int opt; (opt = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        is_good = parse_option(opt, optarg, &o) && is_good;
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
    if (!pin_queries_read(options.names_path, &options.form, &all_queries)) {
        return 2;
    }
    load.queries = &all_queries;
    load.wants_generation = options.wants_generation;
    load.is_timed = options.rate > 0;
    load.fd = pin_question_connect(options.server);
    if (load.fd < 0) {
        perror(options.server);
        return 2;
    }
    arm(&load);
    uint64_t elapsed_ns = load.is_timed ? run_timed(&load, &options) : run(&load, &options);
    pin_tally_print(&load.tally, elapsed_ns);
    if (load.is_timed) {
        pin_spread_print(&load.spread);
    }
    (void)putchar('\n');
    return load.tally.n_answered > 0 ? 0 : 1;
}
