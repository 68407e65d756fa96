/* SPDX-License-Identifier: Apache-2.0 */

/* What of an upstream's message is believed, and what is done with the rest. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/macros.h"

#include "resolver/reply.h"
#include "support/message.h"
#include "support/upstream.h"

static struct pin_reply *reply;
static uint8_t wire[MESSAGE_MAX_BYTES + 1];
static char text[UPSTREAM_TEXT_MAX];

struct reply_case {
    const char *name;
    const char *question; /* name and type, with DO behind it where it is set; NULL: www A */
    const char *message;  /* without its question where that is ours */
    enum pin_reply_verdict verdict;
    const char *body;
    uint32_t ttl_s;
    enum pin_body_kind kind;
};

#define ANSWER PIN_BODY_ANSWER

static struct reply_case cases[] = {
    /* plain answers */
    {"an address", NULL, "an www.example.com 60 A 192.0.2.1", PIN_REPLY_GOOD,
        "an www.example.com. 60 A 192.0.2.1\n", 60, ANSWER},
    {"the smallest TTL is that of the body and of the RRset", NULL,
        "an www.example.com 60 A 192.0.2.1\nan www.example.com 50 A 192.0.2.2", PIN_REPLY_GOOD,
        "an www.example.com. 50 A 192.0.2.1\nan www.example.com. 50 A 192.0.2.2\n", 50, ANSWER},
    {"a record that comes twice is kept once", NULL,
        "an www.example.com 60 A 192.0.2.1\nan WWW.example.com 60 A 192.0.2.1", PIN_REPLY_GOOD,
        "an www.example.com. 60 A 192.0.2.1\n", 60, ANSWER},
    {"additional records are dropped", "www.example.com SRV",
        "an www.example.com 60 SRV 80 a.example.com\nar a.example.com 60 A 192.0.2.1",
        PIN_REPLY_GOOD, "an www.example.com. 60 SRV 80 a.example.com.\n", 60, ANSWER},
    {"the authority section of an answer is dropped", NULL,
        "an www.example.com 60 A 192.0.2.1\nau example.com 60 NS ns.example.com\n"
        "ar ns.example.com 60 A 192.0.2.66",
        PIN_REPLY_GOOD, "an www.example.com. 60 A 192.0.2.1\n", 60, ANSWER},
    {"types that are not known are bytes", "www.example.com TYPE999",
        "an www.example.com 60 TYPE999 C0FFEEC00C", PIN_REPLY_GOOD,
        "an www.example.com. 60 TYPE999 C0FFEEC00C\n", 60, ANSWER},
    {"ANY keeps all that the name has, CNAMEs as well", "www.example.com ANY",
        "an www.example.com 60 A 192.0.2.1\nan www.example.com 50 TXT hello\n"
        "an other.example.com 60 A 192.0.2.2",
        PIN_REPLY_GOOD, "an www.example.com. 60 A 192.0.2.1\nan www.example.com. 50 TXT hello\n",
        50, ANSWER},
    /* bailiwick */
    {"out_of_bailiwick_records: other names in the answer", NULL,
        "an www.example.com 60 A 192.0.2.1\nan bank.test 60 A 192.0.2.66\n"
        "an example.com 60 A 192.0.2.66",
        PIN_REPLY_GOOD, "an www.example.com. 60 A 192.0.2.1\n", 60, ANSWER},
    {"out_of_bailiwick_records: other types of the name", NULL,
        "an www.example.com 60 TXT spam\nan www.example.com 60 A 192.0.2.1", PIN_REPLY_GOOD,
        "an www.example.com. 60 A 192.0.2.1\n", 60, ANSWER},
    {"out_of_bailiwick_records: nothing but others, and no SOA, is a denial not to be kept", NULL,
        "an bank.test 60 A 192.0.2.66", PIN_REPLY_GOOD, "", 0, PIN_BODY_NODATA},
    {"out_of_bailiwick_records: an SOA of another zone denies nothing", NULL,
        "flags 8183\nau bank.test 60 SOA 60", PIN_REPLY_GOOD, "", 0, PIN_BODY_NXDOMAIN},
    {"out_of_bailiwick_records: an SOA below the name neither", NULL,
        "flags 8183\nau sub.www.example.com 60 SOA 60", PIN_REPLY_GOOD, "", 0, PIN_BODY_NXDOMAIN},
    {"ghost_domain: a delegation beside the answer is no news", NULL,
        "an www.example.com 60 A 192.0.2.1\nau www.example.com 604800 NS ns.evil.test\n"
        "ar ns.evil.test 604800 A 192.0.2.66",
        PIN_REPLY_GOOD, "an www.example.com. 60 A 192.0.2.1\n", 60, ANSWER},
    /* chains */
    {"a chain and its end", NULL,
        "an www.example.com 60 CNAME a.example.net\nan a.example.net 30 CNAME b.example.org\n"
        "an b.example.org 90 A 192.0.2.1",
        PIN_REPLY_GOOD,
        "an www.example.com. 60 CNAME a.example.net.\nan a.example.net. 30 CNAME b.example.org.\n"
        "an b.example.org. 90 A 192.0.2.1\n",
        30, ANSWER},
    {"a chain in any order comes out in its own", NULL,
        "an b.example.org 90 A 192.0.2.1\nan a.example.net 30 CNAME b.example.org\n"
        "an www.example.com 60 CNAME a.example.net",
        PIN_REPLY_GOOD,
        "an www.example.com. 60 CNAME a.example.net.\nan a.example.net. 30 CNAME b.example.org.\n"
        "an b.example.org. 90 A 192.0.2.1\n",
        30, ANSWER},
    {"of two CNAMEs of a name the first counts", NULL,
        "an www.example.com 60 CNAME a.test\nan www.example.com 60 CNAME b.test\n"
        "an b.test 60 A 192.0.2.66\nan a.test 60 A 192.0.2.1",
        PIN_REPLY_GOOD, "an www.example.com. 60 CNAME a.test.\nan a.test. 60 A 192.0.2.1\n", 60,
        ANSWER},
    {"data beside a CNAME is not data", NULL,
        "an www.example.com 60 A 192.0.2.66\nan www.example.com 60 CNAME a.test\n"
        "an a.test 60 A 192.0.2.1",
        PIN_REPLY_GOOD, "an www.example.com. 60 CNAME a.test.\nan a.test. 60 A 192.0.2.1\n", 60,
        ANSWER},
    {"a chain without an end is shown as it is", NULL, "an www.example.com 60 CNAME a.test",
        PIN_REPLY_GOOD, "an www.example.com. 60 CNAME a.test.\n", 60, ANSWER},
    {"who asks for the CNAME gets no more", "www.example.com CNAME",
        "an www.example.com 60 CNAME a.test\nan a.test 60 CNAME b.test", PIN_REPLY_GOOD,
        "an www.example.com. 60 CNAME a.test.\n", 60, ANSWER},
    {"cname_loop: to itself", NULL, "an www.example.com 60 CNAME WWW.example.com", PIN_REPLY_FAILED,
        NULL, 0, ANSWER},
    {"cname_loop: of two", NULL,
        "an www.example.com 60 CNAME a.test\nan a.test 60 CNAME www.example.com", PIN_REPLY_FAILED,
        NULL, 0, ANSWER},
    {"cname_loop: away from the question", NULL,
        "an www.example.com 60 CNAME a.test\nan a.test 60 CNAME b.test\nan b.test 60 CNAME a.test",
        PIN_REPLY_FAILED, NULL, 0, ANSWER},
    /* DNAME */
    {"a DNAME that makes the CNAME is kept before it", NULL,
        "an example.com 60 DNAME example.net\nan www.example.com 60 CNAME www.example.net\n"
        "an www.example.net 60 A 192.0.2.1",
        PIN_REPLY_GOOD,
        "an example.com. 60 DNAME example.net.\nan www.example.com. 60 CNAME www.example.net.\n"
        "an www.example.net. 60 A 192.0.2.1\n",
        60, ANSWER},
    {"dname_for_an_ancestor: without a CNAME it says nothing", NULL,
        "an com 60 DNAME evil.test\nan www.example.com 60 A 192.0.2.1", PIN_REPLY_GOOD,
        "an www.example.com. 60 A 192.0.2.1\n", 60, ANSWER},
    {"dname_for_an_ancestor: one that makes another name of it is dropped", NULL,
        "an com 60 DNAME evil.test\nan www.example.com 60 CNAME www.example.net\n"
        "an www.example.net 60 A 192.0.2.1",
        PIN_REPLY_GOOD,
        "an www.example.com. 60 CNAME www.example.net.\nan www.example.net. 60 A 192.0.2.1\n", 60,
        ANSWER},
    {"dname_for_an_ancestor: one that keeps another head is dropped", NULL,
        "an com 60 DNAME net\nan www.example.com 60 CNAME ww2.example.net", PIN_REPLY_GOOD,
        "an www.example.com. 60 CNAME ww2.example.net.\n", 60, ANSWER},
    {"dname_for_an_ancestor: one that puts another end is dropped", NULL,
        "an com 60 DNAME org\nan www.example.com 60 CNAME www.example.net", PIN_REPLY_GOOD,
        "an www.example.com. 60 CNAME www.example.net.\n", 60, ANSWER},
    {"dname_for_an_ancestor: one at the name itself is dropped", NULL,
        "an www.example.com 60 DNAME evil.test\nan www.example.com 60 CNAME evil.test\n"
        "an evil.test 60 A 192.0.2.1",
        PIN_REPLY_GOOD, "an www.example.com. 60 CNAME evil.test.\nan evil.test. 60 A 192.0.2.1\n",
        60, ANSWER},
    {"dname_for_an_ancestor: of another name altogether", NULL,
        "an test 60 DNAME evil.test\nan www.example.com 60 CNAME www.example.net", PIN_REPLY_GOOD,
        "an www.example.com. 60 CNAME www.example.net.\n", 60, ANSWER},
    /* TTLs */
    {"ttl_high_bit: counts as 0", NULL, "an www.example.com 2147483648 A 192.0.2.1", PIN_REPLY_GOOD,
        "an www.example.com. 0 A 192.0.2.1\n", 0, ANSWER},
    {"ttl_high_bit: all bits", NULL, "an www.example.com 4294967295 A 192.0.2.1", PIN_REPLY_GOOD,
        "an www.example.com. 0 A 192.0.2.1\n", 0, ANSWER},
    {"a TTL of 68 years is one of 7 days", NULL, "an www.example.com 2147483647 A 192.0.2.1",
        PIN_REPLY_GOOD, "an www.example.com. 604800 A 192.0.2.1\n", 604800, ANSWER},
    {"TTL 0 is not to be kept", NULL, "an www.example.com 0 A 192.0.2.1", PIN_REPLY_GOOD,
        "an www.example.com. 0 A 192.0.2.1\n", 0, ANSWER},
    /* denials */
    {"NXDOMAIN is kept as long as the SOA says", NULL, "flags 8183\nau example.com 300 SOA 60",
        PIN_REPLY_GOOD, "au example.com. 60 SOA 60\n", 60, PIN_BODY_NXDOMAIN},
    {"or as long as its TTL", NULL, "flags 8183\nau example.com 30 SOA 60", PIN_REPLY_GOOD,
        "au example.com. 30 SOA 60\n", 30, PIN_BODY_NXDOMAIN},
    {"but no longer than 3 hours", NULL, "flags 8183\nau . 604800 SOA 604800", PIN_REPLY_GOOD,
        "au . 10800 SOA 604800\n", 10800, PIN_BODY_NXDOMAIN},
    {"NODATA", NULL, "au example.com 300 SOA 60", PIN_REPLY_GOOD, "au example.com. 60 SOA 60\n", 60,
        PIN_BODY_NODATA},
    {"NODATA at the end of a chain", NULL, "an www.example.com 40 CNAME a.test\nau test 300 SOA 60",
        PIN_REPLY_GOOD, "an www.example.com. 40 CNAME a.test.\nau test. 60 SOA 60\n", 40,
        PIN_BODY_NODATA},
    {"NXDOMAIN at the end of a chain", NULL,
        "flags 8183\nan www.example.com 400 CNAME a.test\nau test 300 SOA 60", PIN_REPLY_GOOD,
        "an www.example.com. 400 CNAME a.test.\nau test. 60 SOA 60\n", 60, PIN_BODY_NXDOMAIN},
    {"of two SOAs the first one that encloses the name counts", NULL,
        "flags 8183\nau evil.test 300 SOA 60\nau example.com 300 SOA 50\nau com 300 SOA 40",
        PIN_REPLY_GOOD, "au example.com. 50 SOA 50\n", 50, PIN_BODY_NXDOMAIN},
    {"NXDOMAIN without an SOA is not to be kept", NULL, "flags 8183", PIN_REPLY_GOOD, "", 0,
        PIN_BODY_NXDOMAIN},
    {"NS records beside a denial are dropped", NULL,
        "au example.com 300 NS ns.evil.test\nau example.com 300 SOA 60\n"
        "ar ns.evil.test 60 A 192.0.2.66",
        PIN_REPLY_GOOD, "au example.com. 60 SOA 60\n", 60, PIN_BODY_NODATA},
    {"a referral is no answer", NULL,
        "au example.com 300 NS ns.example.com\nar ns.example.com 60 A 192.0.2.66", PIN_REPLY_FAILED,
        NULL, 0, ANSWER},
    {"data with NXDOMAIN is no answer", NULL, "flags 8183\nan www.example.com 60 A 192.0.2.1",
        PIN_REPLY_FAILED, NULL, 0, ANSWER},
    /* DNSSEC */
    {"without DO no signature is kept", NULL,
        "an www.example.com 60 A 192.0.2.1\nan www.example.com 60 RRSIG A example.com",
        PIN_REPLY_GOOD, "an www.example.com. 60 A 192.0.2.1\n", 60, ANSWER},
    {"with DO those of what is kept are", "www.example.com A DO",
        "an www.example.com 60 A 192.0.2.1\nan www.example.com 60 RRSIG A example.com\n"
        "an www.example.com 60 RRSIG TXT example.com\nan bank.test 60 RRSIG A test",
        PIN_REPLY_GOOD,
        "an www.example.com. 60 A 192.0.2.1\nan www.example.com. 60 RRSIG A example.com.\n", 60,
        ANSWER},
    {"along the chain as well", "www.example.com A DO",
        "an www.example.com 60 CNAME a.test\nan www.example.com 60 RRSIG CNAME example.com\n"
        "an a.test 60 A 192.0.2.1\nan a.test 60 RRSIG A test",
        PIN_REPLY_GOOD,
        "an www.example.com. 60 CNAME a.test.\nan www.example.com. 60 RRSIG CNAME example.com.\n"
        "an a.test. 60 A 192.0.2.1\nan a.test. 60 RRSIG A test.\n",
        60, ANSWER},
    {"proofs come with a denial", "www.example.com A DO",
        "flags 8183\nau example.com 300 SOA 60\nau example.com 300 RRSIG SOA example.com\n"
        "au a.example.com 300 NSEC z.example.com\nau a.example.com 300 RRSIG NSEC example.com\n"
        "au evil.test 300 NSEC z.evil.test\nau example.com 300 NS ns.example.com",
        PIN_REPLY_GOOD,
        "au example.com. 60 SOA 60\nau example.com. 300 RRSIG SOA example.com.\n"
        "au a.example.com. 300 NSEC z.example.com.\n"
        "au a.example.com. 300 RRSIG NSEC example.com.\n",
        60, PIN_BODY_NXDOMAIN},
    {"but not without DO", NULL,
        "flags 8183\nau example.com 300 SOA 60\nau a.example.com 300 NSEC z.example.com",
        PIN_REPLY_GOOD, "au example.com. 60 SOA 60\n", 60, PIN_BODY_NXDOMAIN},
    {"whose keys sign a name must be above it to prove anything", "www.example.com A DO",
        "an www.example.com 60 A 192.0.2.1\nan www.example.com 60 RRSIG A evil.test\n"
        "au a.evil.test 300 NSEC z.evil.test",
        PIN_REPLY_GOOD,
        "an www.example.com. 60 A 192.0.2.1\nan www.example.com. 60 RRSIG A evil.test.\n", 60,
        ANSWER},
    {"and with an answer from a wildcard", "www.example.com A DO",
        "an www.example.com 60 A 192.0.2.1\nan www.example.com 60 RRSIG A example.com\n"
        "au a.example.com 300 NSEC z.example.com\nau a.example.com 300 RRSIG NSEC example.com\n"
        "au a.test 300 NSEC z.test",
        PIN_REPLY_GOOD,
        "an www.example.com. 60 A 192.0.2.1\nan www.example.com. 60 RRSIG A example.com.\n"
        "au a.example.com. 300 NSEC z.example.com.\n"
        "au a.example.com. 300 RRSIG NSEC example.com.\n",
        60, ANSWER},
    {"signatures of others, and in the authority section, are dropped", "www.example.com A DO",
        "an www.example.com 60 A 192.0.2.1\nan other.example.com 60 RRSIG A example.com\n"
        "au www.example.com 60 RRSIG A example.com",
        PIN_REPLY_GOOD, "an www.example.com. 60 A 192.0.2.1\n", 60, ANSWER},
    {"so are those of the chain", "www.example.com A DO",
        "an www.example.com 60 CNAME a.test\nan a.test 60 A 192.0.2.1\n"
        "au www.example.com 60 RRSIG CNAME example.com",
        PIN_REPLY_GOOD, "an www.example.com. 60 CNAME a.test.\nan a.test. 60 A 192.0.2.1\n", 60,
        ANSWER},
    {"NSEC3 proves as well; a signature of another SOA is dropped", "www.example.com A DO",
        "flags 8183\nau example.com 300 SOA 60\nau com 300 RRSIG SOA com\n"
        "au h.example.com 300 TYPE50 010000010001680000",
        PIN_REPLY_GOOD,
        "au example.com. 60 SOA 60\nau h.example.com. 300 TYPE50 010000010001680000\n", 60,
        PIN_BODY_NXDOMAIN},
    {"an SOA in the answer denies nothing, nor does anything else in the authority", NULL,
        "an example.com 300 SOA 60\nau example.com 300 TXT x", PIN_REPLY_GOOD, "", 0,
        PIN_BODY_NODATA},
    {"a DNAME in the authority section explains nothing", NULL,
        "an www.example.com 60 CNAME www.test\nan www.test 60 A 192.0.2.1\n"
        "au example.com 60 DNAME test",
        PIN_REPLY_GOOD, "an www.example.com. 60 CNAME www.test.\nan www.test. 60 A 192.0.2.1\n", 60,
        ANSWER},
    {"a DNAME's signature is kept with it", "www.example.com A DO",
        "an example.com 60 DNAME test\nan example.com 60 RRSIG DNAME example.com\n"
        "an www.example.com 60 CNAME www.test\nan www.test 60 A 192.0.2.1",
        PIN_REPLY_GOOD,
        "an example.com. 60 DNAME test.\nan example.com. 60 RRSIG DNAME example.com.\n"
        "an www.example.com. 60 CNAME www.test.\nan www.test. 60 A 192.0.2.1\n",
        60, ANSWER},
    /* other verdicts */
    {"another id is somebody else's", NULL, "id 1235\nan www.example.com 60 A 192.0.2.1",
        PIN_REPLY_MISMATCH, NULL, 0, ANSWER},
    {"a query is no reply", NULL, "flags 0100", PIN_REPLY_MISMATCH, NULL, 0, ANSWER},
    {"neither is a NOTIFY", NULL, "flags a180", PIN_REPLY_MISMATCH, NULL, 0, ANSWER},
    {"another name is another question", NULL,
        "q ww2.example.com A\nan www.example.com 60 A 1.1.1.1", PIN_REPLY_MISMATCH, NULL, 0,
        ANSWER},
    {"another type is another question", NULL, "q www.example.com AAAA", PIN_REPLY_MISMATCH, NULL,
        0, ANSWER},
    {"another case is another question", NULL, "q www.eXample.com A", PIN_REPLY_MISMATCH, NULL, 0,
        ANSWER},
    {"two questions are none of ours", NULL, "q www.example.com A\nq www.example.com A",
        PIN_REPLY_MISMATCH, NULL, 0, ANSWER},
    {"a cut reply sends us to TCP", NULL, "flags 8380\nan www.example.com 60 A 192.0.2.1",
        PIN_REPLY_TRUNCATED, NULL, 0, ANSWER},
    {"FORMERR: ask without EDNS", "www.example.com A EDNS", "flags 8181", PIN_REPLY_NO_EDNS, NULL,
        0, ANSWER},
    {"NOTIMP: ask without EDNS", "www.example.com A EDNS", "flags 8184", PIN_REPLY_NO_EDNS, NULL, 0,
        ANSWER},
    {"another version of EDNS: ask without", "www.example.com A EDNS",
        "an www.example.com 60 A 192.0.2.1\nopt 1", PIN_REPLY_NO_EDNS, NULL, 0, ANSWER},
    {"FORMERR to a question without EDNS is a failure", NULL, "flags 8181", PIN_REPLY_FAILED, NULL,
        0, ANSWER},
    {"SERVFAIL is a failure", NULL, "flags 8182", PIN_REPLY_FAILED, NULL, 0, ANSWER},
    {"REFUSED is a failure", NULL, "flags 8185", PIN_REPLY_FAILED, NULL, 0, ANSWER},
    /* RDATA */
    {"rdlength_lies: an A record of 5 bytes", NULL, "an www.example.com 60 TYPE1 C000020100",
        PIN_REPLY_MALFORMED, NULL, 0, ANSWER},
    {"rdlength_lies: an A record of 3 bytes", NULL, "an www.example.com 60 TYPE1 C00002",
        PIN_REPLY_MALFORMED, NULL, 0, ANSWER},
    {"rdlength_lies: an AAAA record of 4 bytes", NULL, "an www.example.com 60 TYPE28 C0000201",
        PIN_REPLY_MALFORMED, NULL, 0, ANSWER},
    {"rdlength_lies: a CNAME with a byte behind its name", NULL,
        "an www.example.com 60 TYPE5 01610000", PIN_REPLY_MALFORMED, NULL, 0, ANSWER},
    {"rdlength_lies: a CNAME that goes on behind its RDATA", NULL,
        "an www.example.com 60 TYPE5 0161", PIN_REPLY_MALFORMED, NULL, 0, ANSWER},
    {"rdlength_lies: a TXT string longer than the RDATA", NULL,
        "an www.example.com 60 TYPE16 056162", PIN_REPLY_MALFORMED, NULL, 0, ANSWER},
    {"rdlength_lies: an SVCB parameter longer than the RDATA", NULL,
        "an www.example.com 60 TYPE65 00010000010005AA", PIN_REPLY_MALFORMED, NULL, 0, ANSWER},
    {"service parameters in rising order", "www.example.com HTTPS",
        "an www.example.com 60 TYPE65 00010000010003026832000300021F90", PIN_REPLY_GOOD,
        "an www.example.com. 60 HTTPS 00010000010003026832000300021F90\n", 60, ANSWER},
    {"service parameters in falling order", "www.example.com HTTPS",
        "an www.example.com 60 TYPE65 000100000300021F9000010003026832", PIN_REPLY_MALFORMED, NULL,
        0, ANSWER},
    {"a service parameter that comes twice", "www.example.com HTTPS",
        "an www.example.com 60 TYPE65 000100000300021F90000300021F90", PIN_REPLY_MALFORMED, NULL, 0,
        ANSWER},
    {"rdlength_lies: half the head of a service parameter", "www.example.com HTTPS",
        "an www.example.com 60 TYPE65 00010000010000000200", PIN_REPLY_MALFORMED, NULL, 0, ANSWER},
    {"rdlength_lies: a compressed name where none may be", "www.example.com HTTPS",
        "an www.example.com 60 TYPE65 0001C00C", PIN_REPLY_MALFORMED, NULL, 0, ANSWER},
    {"a bad record spoils the message even where it is not asked for", NULL,
        "an www.example.com 60 A 192.0.2.1\nau example.com 60 TYPE6 00", PIN_REPLY_MALFORMED, NULL,
        0, ANSWER},
};

/* Reads "name type [DO|EDNS]". */
static void read_question(const char *question, struct pin_asked *asked, uint8_t *qname)
{
    char words[256];
    char *rest = NULL;
    (void)snprintf(words, sizeof(words), "%s", question != NULL ? question : "www.example.com A");
    asked->qname_bytes = (uint8_t)message_put_name(strtok_r(words, " ", &rest), qname);
    asked->qname = qname;
    asked->qtype = upstream_type(strtok_r(NULL, " ", &rest));
    asked->qclass = 1;
    asked->id = 0x1234;
    const char *more = strtok_r(NULL, " ", &rest);
    asked->is_do = more != NULL && strcmp(more, "DO") == 0;
    asked->has_edns = more != NULL;
}

static size_t build(const char *question, const char *message)
{
    char all[8192];
    char words[256];
    (void)snprintf(words, sizeof(words), "%s", question != NULL ? question : "www.example.com A");
    char *end = strstr(words, " DO");
    end = end != NULL ? end : strstr(words, " EDNS");
    if (end != NULL) {
        *end = '\0';
    }
    bool has_own = strstr(message, "q ") == message;
    (void)snprintf(
        all, sizeof(all), "%s%s\n%s", has_own ? "" : "q ", has_own ? "" : words, message);
    return upstream_build(all, wire);
}

static void test_reply(void **state)
{
    const struct reply_case *c = *state;
    struct pin_asked asked = {0};
    uint8_t qname[PIN_NAME_MAX_BYTES];
    read_question(c->question, &asked, qname);
    size_t bytes = build(c->question, c->message);
    assert_int_equal(pin_reply_read(wire, bytes, &asked, reply), c->verdict);
    if (c->verdict == PIN_REPLY_GOOD) {
        assert_string_equal(upstream_tell_body(&asked, reply, text), c->body);
        assert_int_equal(reply->kind, c->kind);
        assert_int_equal(reply->ttl_s, c->ttl_s);
    }
}

static int set_up(void **state)
{
    (void)state;
    reply = pin_reply_new();
    return reply == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
    (void)state;
    pin_reply_free(reply);
    return 0;
}

int main(void)
{
    struct CMUnitTest tests[N_ELEMS(cases)] = {{0}};
    for (size_t i = 0; i < N_ELEMS(cases); i++) {
        tests[i] = (struct CMUnitTest){
            .name = cases[i].name, .test_func = test_reply, .initial_state = &cases[i]};
    }
    return cmocka_run_group_tests_name("reply", tests, set_up, tear_down);
}
