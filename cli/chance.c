/* SPDX-License-Identifier: Apache-2.0 */

/* Chi-square and a Chernoff bound. */

#include "cli/chance.h"

#include <math.h>

#define EXPECTED_MIN 5.0
#define TINY         1e-12
#define ROUNDS_MAX   10000

static double log_gamma(double a)
{
    return lgamma(a); /* NOLINT(concurrency-mt-unsafe): one thread */
}

/* The regularised lower incomplete gamma function by its series; good for x < a + 1. */
static double gamma_lower(double a, double x)
{
    double term = 1 / a;
    double sum = term;
    for (int n = 1; n < ROUNDS_MAX && fabs(term) > fabs(sum) * 1e-15; n++) {
        term *= x / (a + n);
        sum += term;
    }
    return sum * exp(-x + a * log(x) - log_gamma(a));
}

/* The upper one by its continued fraction (modified Lentz); good for x >= a + 1. */
static double gamma_upper(double a, double x)
{
    double b = x + 1 - a;
    double c = 1 / TINY;
    double d = 1 / b;
    double h = d;
    for (int n = 1; n < ROUNDS_MAX; n++) {
        double an = -n * (n - a);
        b += 2;
        d = an * d + b;
        d = 1 / (fabs(d) < TINY ? TINY : d);
        c = b + an / c;
        c = fabs(c) < TINY ? TINY : c;
        h *= d * c;
        if (fabs(d * c - 1) < 1e-14) {
            break;
        }
    }
    return h * exp(-x + a * log(x) - log_gamma(a));
}

/* The probability that chi-square of so many degrees of freedom is at least x. */
static double chi_square_tail(double x, unsigned degrees)
{
    double a = degrees / 2.0;
    double half = x / 2;
    if (half <= 0) {
        return 1;
    }
    return half < a + 1 ? 1 - gamma_lower(a, half) : gamma_upper(a, half);
}

static void add_cell(struct pin_chance *chance, double expected, double counted)
{
    chance->chi_square += (counted - expected) * (counted - expected) / expected;
    chance->degrees++;
}

struct pin_chance pin_chance_split(const struct pin_outcome *outcomes, size_t n)
{
    struct pin_chance chance = {.p = 1};
    uint64_t total = 0;
    double rare_expected = 0;
    double rare_counted = 0;
    for (size_t i = 0; i < n; i++) {
        total += outcomes[i].counted;
    }
    for (size_t i = 0; i < n; i++) {
        double expected = outcomes[i].wanted * (double)total;
        if (outcomes[i].wanted < TINY && outcomes[i].counted > 0) {
            return (struct pin_chance){.chi_square = INFINITY, .degrees = 1, .p = 0};
        }
        if (expected >= EXPECTED_MIN) {
            add_cell(&chance, expected, (double)outcomes[i].counted);
        } else {
            rare_expected += expected;
            rare_counted += (double)outcomes[i].counted;
        }
    }
    if (rare_expected > TINY) {
        add_cell(&chance, rare_expected, rare_counted);
    }
    chance.degrees -= chance.degrees > 0 ? 1 : 0;
    if (chance.degrees > 0) {
        chance.p = chi_square_tail(chance.chi_square, chance.degrees);
    }
    return chance;
}

/* x log(x / y), 0 for x = 0. */
static double entropy_term(double x, double y)
{
    return x <= 0 ? 0 : x * log(x / y);
}

double pin_chance_bound(double wanted, uint64_t counted, uint64_t n)
{
    double seen = n > 0 ? (double)counted / (double)n : wanted;
    if (wanted < TINY || wanted > 1 - TINY) {
        return n == 0 || counted == (wanted < TINY ? 0 : n) ? 1 : 0;
    }
    double far = entropy_term(seen, wanted) + entropy_term(1 - seen, 1 - wanted);
    double p = 2 * exp(-(double)n * far);
    return p < 1 ? p : 1;
}
