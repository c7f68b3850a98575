// SPDX-License-Identifier: GPL-2.0
/*
 * How fast are the kernel's copies that survive poison? Mainline's and ours, the
 * real assembly, against rep movsb and the C library's memcpy(), in one run.
 *
 *	bench [ROUNDS]
 *
 * The machine is not ours alone, so every round times each routine for a moment
 * and only what the same round says is compared: a ratio is the median of the
 * rounds' ratios. Where the kernel put the buffers makes a difference, too, so
 * take the median of several runs. Prints a line for each size, alignment and
 * routine.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

/*
 * How long a short copy takes depends as much on where in a line its code lies,
 * and its caller's, as on the code. So there are four of each, 16 bytes apart,
 * which is how the kernel aligns functions, and what counts is the mean of all
 * pairs: a kernel may have any of them.
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

typedef double caller_fn(copy_fn *copy, char *dst, const char *src, size_t len,
			 unsigned long n);

#define CALLER(place)								\
__attribute__((noinline, aligned(64)))						\
static double caller_##place(copy_fn *copy, char *dst, const char *src,		\
			     size_t len, unsigned long n)			\
{										\
	double start;								\
	unsigned long i;							\
										\
	asm volatile(".nops 16 * " #place " + 1");				\
	start = now();								\
	for (i = 0; i < n; i++)							\
		copy(dst, src, len);						\
	return (now() - start) / n;						\
}

CALLER(0) CALLER(1) CALLER(2) CALLER(3)

static caller_fn * const callers[] = { caller_0, caller_1, caller_2, caller_3 };

#define CALLERS	(sizeof(callers) / sizeof(callers[0]))

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

static double took[NR][ROUNDS], sorted[ROUNDS];

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
	size_t r, k, p, c;
	int i;

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
		       callers[0](routines[r].copy[0], dst, src, len, n[r]) * n[r] < MOMENT)
			n[r] *= 2;
	}
	/* What one leaves in the caches is there for the next one, in turn. */
	for (i = 0; i < rounds; i++) {
		for (r = 0; r < NR; r++)
			took[r][i] = 0;
		for (k = 0; k < NR * PLACES * CALLERS; k++) {
			r = (k + i) % NR;
			p = k / NR % PLACES;
			c = k / NR / PLACES;
			took[r][i] += callers[c](routines[r].copy[p], dst, src, len, n[r]) /
				      (PLACES * CALLERS);
		}
	}

	for (r = 0; r < NR; r++) {
		double ratio = ratio_to(took[0], took[r], rounds);
		double to_glibc = ratio_to(took[NR - 1], took[r], rounds);

		memcpy(sorted, took[r], sizeof(sorted));
		printf("%zu\t%s\t%s\t%.2f\t%.3f\t%.3f\n", len, align,
		       routines[r].name, median(sorted, rounds) * 1e9, ratio, to_glibc);
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

	printf("#bytes\talign\troutine\tns\tx_mainline_fragile\tx_glibc_memcpy\n");
	for (len = 8; len <= MAX; len *= 2) {
		/* The longest take more than a moment each: fewer rounds will do. */
		int n = len > 1UL << 16 ? (rounds + 7) / 8 : rounds;

		measure(dst, src, len, "aligned", n);
		measure(dst + 5, src + 59, len, "unaligned", n);
		if (len < 4096) {
			measure(dst, src, len + len / 2 - 1, "aligned", n);
			measure(dst + 5, src + 59, len + len / 2 - 1, "unaligned", n);
		}
	}
	return 0;
}
