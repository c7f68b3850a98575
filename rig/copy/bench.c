// SPDX-License-Identifier: GPL-2.0
/*
 * How fast are the kernel's copies that survive poison? Mainline's and ours, the
 * real assembly, against rep movsb and the C library's memcpy(), in one run.
 *
 *	bench [ROUNDS]
 *
 * The machine is not ours alone, so every round times each routine for a moment
 * and only what the same round says is compared: a ratio is the median of the
 * rounds' ratios. Prints a line for each size, alignment and routine.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

/*
 * How fast a short loop is depends on where in a line it lies. So there are four
 * of each, 16 bytes apart, which is how the kernel aligns functions, and the
 * best one counts.
 */
typedef unsigned long copy_fn(void *dst, const void *src, unsigned int len);
#define PLACES			4
#define EACH_PLACE(name)	p0_##name, p1_##name, p2_##name, p3_##name

extern copy_fn EACH_PLACE(mainline_copy_mc_fragile);
extern copy_fn EACH_PLACE(mainline_copy_mc_enhanced_fast_string);
extern copy_fn EACH_PLACE(copy_mc_fragile);
extern copy_fn EACH_PLACE(copy_mc_enhanced_fast_string);
extern copy_fn EACH_PLACE(erms_copy_mc_enhanced_fast_string);
extern copy_fn EACH_PLACE(mainline___memcpy);	/* returns its destination */

static unsigned long rep_movsb(void *dst, const void *src, unsigned int len)
{
	size_t count = len;

	asm volatile("rep movsb" : "+c" (count), "+D" (dst), "+S" (src) : : "memory");
	return count;
}

static unsigned long libc(void *dst, const void *src, unsigned int len)
{
	memcpy(dst, src, len);
	return 0;
}

static const struct {
	const char *name;
	copy_fn *copy[PLACES];
	bool returns_dst;
} routines[] = {
	{ "mainline-fragile", { EACH_PLACE(mainline_copy_mc_fragile) } },	/* the yardstick */
	{ "ours-careful", { EACH_PLACE(copy_mc_fragile) } },
	{ "mainline-fast", { EACH_PLACE(mainline_copy_mc_enhanced_fast_string) } },
	{ "ours-fast", { EACH_PLACE(copy_mc_enhanced_fast_string) } },
	{ "ours-fast-erms", { EACH_PLACE(erms_copy_mc_enhanced_fast_string) } },
	{ "memcpy-plain", { EACH_PLACE(mainline___memcpy) }, true },
	{ "rep-movsb", { rep_movsb, rep_movsb, rep_movsb, rep_movsb } },
	{ "glibc-memcpy", { libc, libc, libc, libc } },
};

#define NR	(sizeof(routines) / sizeof(routines[0]))
#define MAX	(8UL << 20)
#define ROUNDS	1000

/* Long enough for the clock, short enough to be undisturbed most of the time. */
#define MOMENT	10e-6

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec * 1e-9;
}

static double timed(copy_fn *copy, char *dst, const char *src, size_t len, unsigned long n)
{
	double start = now();
	unsigned long i;

	for (i = 0; i < n; i++)
		copy(dst, src, len);
	return (now() - start) / n;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *v, int n)
{
	qsort(v, n, sizeof(*v), by_value);
	return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

static double took[NR][PLACES][ROUNDS], sorted[ROUNDS];

/* The place where a routine is fastest, by its median; or slowest. */
static int place_of(size_t r, int rounds, bool slowest)
{
	double best = 0, this;
	int p, found = 0;

	for (p = 0; p < PLACES; p++) {
		memcpy(sorted, took[r][p], sizeof(sorted));
		this = median(sorted, rounds);
		if (!p || (slowest ? this > best : this < best)) {
			best = this;
			found = p;
		}
	}
	return found;
}

static double ratio_to(const double *to, const double *v, int rounds)
{
	int i;

	for (i = 0; i < rounds; i++)
		sorted[i] = to[i] / v[i];
	return median(sorted, rounds);
}

static void measure(char *dst, const char *src, size_t len, const char *align, int rounds)
{
	unsigned long n[NR], left;
	size_t r, k;
	int i, p;

	for (r = 0; r < NR; r++) {
		for (p = 0; p < PLACES; p++) {
			memset(dst, 0, len);
			left = routines[r].copy[p](dst, src, len);
			if ((!routines[r].returns_dst && left) || memcmp(dst, src, len)) {
				fprintf(stderr, "%s: wrong copy of %zu bytes\n",
					routines[r].name, len);
				exit(1);
			}
		}
		n[r] = 1;
		while (n[r] < 1UL << 20 &&
		       timed(routines[r].copy[0], dst, src, len, n[r]) * n[r] < MOMENT)
			n[r] *= 2;
	}
	/* What one leaves in the caches is there for the next one, in turn. */
	for (i = 0; i < rounds; i++) {
		for (k = 0; k < NR * PLACES; k++) {
			r = (k + i) % NR;
			p = k / NR;
			took[r][p][i] = timed(routines[r].copy[p], dst, src, len, n[r]);
		}
	}

	for (r = 0; r < NR; r++) {
		const double *ours = took[r][place_of(r, rounds, false)];
		const double *last = took[r][place_of(r, rounds, true)];
		const double *yard = took[0][place_of(0, rounds, false)];
		const double *glibc = took[NR - 1][place_of(NR - 1, rounds, false)];
		double ns, ratio, worst, to_glibc;

		/* Each at its best; ours at its worst against that; and libc's. */
		ratio = ratio_to(yard, ours, rounds);
		worst = ratio_to(yard, last, rounds);
		to_glibc = ratio_to(glibc, ours, rounds);
		memcpy(sorted, ours, sizeof(sorted));
		ns = median(sorted, rounds) * 1e9;
		printf("%zu\t%s\t%s\t%.2f\t%.3f\t%.3f\t%.3f\n", len, align,
		       routines[r].name, ns, ratio, worst, to_glibc);
	}
	fflush(stdout);
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 101;
	char *src, *dst;
	size_t len;

	if (rounds < 1 || rounds > ROUNDS) {
		fprintf(stderr, "bench: 1 to %d rounds\n", ROUNDS);
		return 2;
	}
	src = mmap(NULL, MAX + 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	dst = mmap(NULL, MAX + 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (src == MAP_FAILED || dst == MAP_FAILED) {
		perror("bench: mmap");
		return 1;
	}
	for (len = 0; len < MAX + 8192; len++)
		src[len] = len * 2654435761u >> 13;
	memset(dst, 1, MAX + 8192);
	/*
	 * Not at the same place in a page, nor close: what CPUs do then is a matter
	 * of its own. (On AMD Zen 4 rep movsb takes ten times as long.)
	 */
	dst += 2048;

	printf("#bytes\talign\troutine\tns\tx_mainline_fragile\tx_if_placed_worst\tx_glibc_memcpy\n");
	for (len = 8; len <= MAX; len *= 2) {
		/* The longest take more than a moment each: fewer rounds will do. */
		int n = len > 1UL << 20 ? (rounds + 7) / 8 : rounds;

		measure(dst, src, len, "aligned", n);
		measure(dst + 5, src + 3, len, "unaligned", n);
		if (len < 4096) {
			measure(dst, src, len + len / 2 - 1, "aligned", n);
			measure(dst + 5, src + 3, len + len / 2 - 1, "unaligned", n);
		}
	}
	return 0;
}
