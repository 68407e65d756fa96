/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The load generator over TCP, TLS and HTTP/2: long-lived connections, all opened at the start.
 *
 * Connection i has 1 + i mod N queries in flight, as a busy resolver has here and there; an answer
 * makes room for the next query at once. It never sleeps, so that the server's sends never pay for
 * waking it. Each answer must carry a pending id (HTTP/2: belong to its stream), the QR bit, the
 * question that was asked, and the rcode and number of RRs that the file of names wants.
 *
 * Prints one line of key=value pairs and exits 0; 1 when nothing was answered; 2 on misuse.
 */

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "question.h"
#include "stream.h"

#define N_EVENTS        64
#define CONNECTIONS_MAX 1000U
#define QUIET_NS        (500 * NS_PER_MS)

struct options {
    const char *server;
    const char *names_path;
    struct pin_queries_form form;
    enum pin_stream_kind kind;
    unsigned long n_connections;
    unsigned long pipeline;
    double seconds;
    unsigned long n_query; /* 0 = until the seconds are over */
};

static struct pin_stream_load load;
static struct pin_queries all_queries; /* these live as long as the process */
static struct pin_stream *all_streams;

/* Opens a connection, again or for the first time, and has it watched. */
static bool open_stream(int epoll_fd, struct pin_stream *stream, unsigned n_slots)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = stream};

    return pin_stream_open(stream, &load, n_slots)
           && epoll_ctl(epoll_fd, EPOLL_CTL_ADD, stream->fd, &event) == 0;
}

/* A connection that the server has closed is opened again; what was in flight is lost. */
static bool reopen(int epoll_fd, struct pin_stream *stream)
{
    pin_stream_close(stream);
    load.n_reconnects++;
    return load.is_ending || open_stream(epoll_fd, stream, stream->n_slots);
}

/* One round over what is ready. Returns how many were, or -1 when no connection can be had. */
static int serve(int epoll_fd)
{
    struct epoll_event events[N_EVENTS];
    int n_ready = epoll_wait(epoll_fd, events, N_EVENTS, 0);

    for (int i = 0; i < n_ready; i++) {
        struct pin_stream *stream = events[i].data.ptr;
        if (!pin_stream_on_readable(stream) && !reopen(epoll_fd, stream)) {
            return -1;
        }
    }
    return n_ready;
}

/* What the kernel did not take at once goes out when there is room. */
static void flush_all(struct pin_stream *streams, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (streams[i].fd >= 0 && streams[i].out_bytes > 0) {
            (void)pin_stream_flush(&streams[i]);
        }
    }
}

/* Asks until the time or the number of queries is over, then waits for the last answers. Returns
 * the nanoseconds it asked, 0 when connections failed. */
static uint64_t run(int epoll_fd, struct pin_stream *streams, const struct options *options)
{
    uint64_t start_ns = pin_question_now_ns();
    uint64_t end_ns = start_ns + (uint64_t)(options->seconds * (double)(1000 * NS_PER_MS));
    uint64_t heard_ns = start_ns;
    uint64_t asked_ns = 0;

    for (uint64_t now_ns = start_ns; !load.is_ending || load.n_in_flight > 0;
         now_ns = pin_question_now_ns()) {
        int n_ready = serve(epoll_fd);
        if (n_ready < 0) {
            return 0;
        }
        if (n_ready > 0) {
            heard_ns = now_ns;
        } else {
            flush_all(streams, options->n_connections);
        }
        if (now_ns - heard_ns > QUIET_NS) {
            load.tally.n_lost += load.n_in_flight;
            break;
        }
        bool is_over =
            now_ns >= end_ns || (options->n_query > 0 && load.tally.n_sent >= options->n_query);
        if (!load.is_ending && is_over) {
            load.is_ending = true;
            asked_ns = now_ns - start_ns;
        }
    }
    return asked_ns > 0 ? asked_ns : pin_question_now_ns() - start_ns;
}

static bool open_all(int epoll_fd, struct pin_stream *streams, const struct options *options)
{
    for (size_t i = 0; i < options->n_connections; i++) {
        if (!open_stream(epoll_fd, &streams[i], 1 + (unsigned)(i % options->pipeline))) {
            return false;
        }
    }
    return true;
}

static bool prepare_tls(void)
{
    if (load.kind == PIN_STREAM_TCP) {
        return true;
    }
    load.tls = SSL_CTX_new(TLS_client_method());
    if (load.tls == NULL) {
        return false;
    }
    (void)SSL_CTX_set_mode(
        load.tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    return true;
}

static int usage(const char *program)
{
    (void)fprintf(stderr,
        "usage: %s --server ADDR:PORT --names FILE [--transport tcp|dot|doh] [--connections N]\n"
        "       [--pipeline N] [--seconds S] [--queries N] [--type A|AAAA|SRV|TYPEn] [--edns]\n"
        "Asks the names of FILE (lines NAME [TYPE [RCODE [COUNT]]]) in a shuffled order, over and\n"
        "over, on N connections (default 32, at most %u) with 1 to N queries in flight on each\n"
        "(default 8, at most %u), for S seconds (default 3) or until N queries are sent.\n",
        program, CONNECTIONS_MAX, STREAM_N_SLOT);
    return 2;
}

static bool parse_transport(const char *text, enum pin_stream_kind *ret_kind)
{
    static const char *const names[] = {"tcp", "dot", "doh"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(text, names[i]) == 0) {
            *ret_kind = (enum pin_stream_kind)i;
            return true;
        }
    }
    return false;
}

/* Takes one option; false when its value is none. */
static bool parse_option(int option, const char *value, struct options *options)
{
    switch (option) {
    case 's':
        options->server = value;
        return true;
    case 'f':
        options->names_path = value;
        return true;
    case 'x':
        return parse_transport(value, &options->kind);
    case 'c':
        options->n_connections = strtoul(value, NULL, 10);
        return options->n_connections > 0 && options->n_connections <= CONNECTIONS_MAX;
    case 'p':
        options->pipeline = strtoul(value, NULL, 10);
        return options->pipeline > 0 && options->pipeline <= STREAM_N_SLOT;
    case 'S':
        options->seconds = strtod(value, NULL);
        return options->seconds > 0 && options->seconds <= 3600;
    case 'n':
        options->n_query = strtoul(value, NULL, 10);
        return true;
    case 't':
        return pin_question_parse_type(value, &options->form.qtype);
    case 'e':
        options->form.with_edns = true;
        return true;
    default:
        return false;
    }
}

static bool parse_options(int argc, char **argv, struct options *ret_options)
{
    static const struct option table[] = {{"server", required_argument, NULL, 's'},
        {"names", required_argument, NULL, 'f'}, {"transport", required_argument, NULL, 'x'},
        {"connections", required_argument, NULL, 'c'}, {"pipeline", required_argument, NULL, 'p'},
        {"seconds", required_argument, NULL, 'S'}, {"queries", required_argument, NULL, 'n'},
        {"type", required_argument, NULL, 't'}, {"edns", no_argument, NULL, 'e'}, {0}};
    struct options o = {.form.qtype = 1, .n_connections = 32, .pipeline = 8, .seconds = 3};
    bool is_good = true;

    /* NOLINTNEXTLINE(concurrency-mt-unsafe): there is one thread */
    for (int opt; (opt = getopt_long(argc, argv, "", table, NULL)) != -1;) {
        is_good = parse_option(opt, optarg, &o) && is_good;
    }
    *ret_options = o;
    return is_good && optind == argc && o.server != NULL && o.names_path != NULL;
}

int main(int argc, char **argv)
{
    struct options options;

    if (!parse_options(argc, argv, &options)
        || !pin_question_parse_server(options.server, &load.peer)) {
        return usage(argv[0]);
    }
    if (!pin_queries_read(options.names_path, &options.form, &all_queries)) {
        return 2;
    }
    load.queries = &all_queries;
    load.kind = options.kind;
    all_streams = calloc(options.n_connections, sizeof(*all_streams));
    int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (all_streams == NULL || epoll_fd < 0 || !prepare_tls()
        || !open_all(epoll_fd, all_streams, &options)) {
        return 2;
    }
    uint64_t elapsed_ns = run(epoll_fd, all_streams, &options);
    if (elapsed_ns == 0) {
        return 2;
    }
    pin_tally_print(&load.tally, elapsed_ns);
    (void)printf(" reconnects=%ju\n", (uintmax_t)load.n_reconnects);
    return load.tally.n_answered > 0 ? 0 : 1;
}
