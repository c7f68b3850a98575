// SPDX-License-Identifier: GPL-2.0
/*
 * How fast does mc_memcpy() copy what is good, next to memcpy()?
 *
 *	bench [ROUTINE]		a table, for a plot: size, MB/s of both, ratio, for
 *				three alignments of source and destination
 *	bench signal		what a fault costs: a copy that ends at the end of a file,
 *				next to read(2) of the same, which the kernel ends by itself
 *
 * The two take turns, a few hundred microseconds each, and the best of many turns
 * counts.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "internal.h"

#define PAGE	4096UL
#define BIGGEST	(64UL << 20)
#define TURNS	41

static void *(*volatile p_memcpy)(void *, const void *, size_t) = memcpy;
static size_t (*volatile p_mc_memcpy)(void *, const void *, size_t) = mc_memcpy;

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* What the machine does besides makes a turn longer, never shorter. */
static double least(double *t, int n)
{
	qsort(t, (size_t)n, sizeof(*t), compare);
	return t[0];
}

static double turn(int which, char *dst, const char *src, size_t len, long times)
{
	double start = now();
	long i;

	if (which)
		for (i = 0; i < times; i++)
			p_mc_memcpy(dst, src, len);
	else
		for (i = 0; i < times; i++)
			p_memcpy(dst, src, len);
	return (now() - start) / (double)times;
}

static char *buffer(void)
{
	char *p = mmap(NULL, BIGGEST + PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (p == MAP_FAILED) {
		perror("bench");
		exit(1);
	}
	memset(p, 1, BIGGEST + PAGE);
	return p;
}

static void copies(void)
{
	static const struct {
		size_t src, dst;
	} at[] = { { 0, 0 }, { 5, 0 }, { 13, 29 } };
	char *src = buffer(), *dst = buffer();
	double t[2][TURNS];
	unsigned int a;
	size_t len;
	int i;

	printf("# bytes	src	dst	memcpy_MB/s	mc_memcpy_MB/s	mc_memcpy/memcpy\n");
	for (a = 0; a < ARRAY_SIZE(at); a++) {
		for (len = 64; len <= BIGGEST; len += len & (len - 1) ? len / 3 : len / 2) {
			double once = turn(0, dst, src, len, 1 + (long)(100000 / len)), m, mc;
			long times = (long)(0.0004 / once) + 1;

			for (i = 0; i < TURNS; i++) {
				char *to = dst + at[a].dst, *from = src + at[a].src;
				int first = i & 1;

				t[first][i] = turn(first, to, from, len, times);
				t[!first][i] = turn(!first, to, from, len, times);
			}
			m = least(t[0], TURNS);
			mc = least(t[1], TURNS);
			printf("%zu	%zu	%zu	%.0f	%.0f	%.3f\n", len,
			       at[a].src, at[a].dst, (double)len / m / 1e6, (double)len / mc / 1e6, m / mc);
			fflush(stdout);
		}
		printf("\n\n");
	}
}

static int retried(const struct mc_fault *f, void *arg)
{
	return MC_UNWIND;
}

static void empty(void *arg)
{
}

static void *volatile bad;

static void load_it(void *arg)
{
	(void)*(volatile char *)bad;
}

static void tell(const char *what, double *t)
{
	printf("%-50s %6.0f ns\n", what, least(t, TURNS) * 1e9);
}

/*
 * What the kernel would save if it knew of our landing pads: the way into the
 * handler and back. process_vm_readv(2) of the same bad address is what a fault
 * costs that the kernel fixes up by its own table.
 */
static void faults(void)
{
	enum { N = 2000 };
	int fd = memfd_create("bench", 0), i, k;
	double copy[TURNS], region[TURNS], block[TURNS], tryit[TURNS], kernel[TURNS], nomask[TURNS];
	double good[TURNS], sent[TURNS], nothing[TURNS];
	siginfo_t info;
	struct iovec to, from;
	struct mc_block b;
	char buf[64], *map;

	if (fd < 0 || ftruncate(fd, PAGE))
		exit(1);
	map = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		exit(1);
	bad = map + PAGE;
	memset(map, 1, PAGE);
	mc_init(0);
	for (k = 0; k < TURNS; k++) {
		volatile double start = now();

		for (i = 0; i < N; i++)
			mc_memcpy(buf, map + PAGE, sizeof(buf));
		copy[k] = (now() - start) / N;

		mc_region_add(map + PAGE, PAGE, retried, NULL);
		start = now();
		for (i = 0; i < N; i++)
			mc_memcpy(buf, map + PAGE, sizeof(buf));
		region[k] = (now() - start) / N;
		mc_region_remove(map + PAGE, PAGE);

		start = now();
		for (i = 0; i < N; i++)
			mc_call(load_it, NULL, NULL);
		block[k] = (now() - start) / N;

		start = now();
		for (i = 0; i < N; i++)
			mc_call(empty, NULL, NULL);
		tryit[k] = (now() - start) / N;

		start = now();
		for (i = 0; i < N; i++) {
			if (mc_try_nomask(&b)) {
				__asm__ volatile("");
				mc_leave(&b);
			}
		}
		nomask[k] = (now() - start) / N;

		to.iov_base = buf;
		from.iov_base = map + PAGE;
		to.iov_len = from.iov_len = sizeof(buf);
		start = now();
		for (i = 0; i < N; i++)
			if (process_vm_readv(getpid(), &to, 1, &from, 1, 0) >= 0)
				exit(1);
		kernel[k] = (now() - start) / N;

		/* The way into the handler and back, without the fault. */
		memset(&info, 0, sizeof(info));
		info.si_signo = SIGBUS;
		info.si_code = BUS_MCEERR_AO;
		mc_advice(retried, NULL);
		start = now();
		for (i = 0; i < N; i++)
			if (syscall(SYS_rt_tgsigqueueinfo, getpid(), gettid(), SIGBUS, &info))
				exit(1);
		sent[k] = (now() - start) / N;
		mc_advice(NULL, NULL);
		info.si_code = 4711;
		start = now();
		for (i = 0; i < N; i++)
			if (!syscall(SYS_rt_tgsigqueueinfo, getpid(), gettid(), 4711, &info))
				exit(1);
		nothing[k] = (now() - start) / N;

		from.iov_base = map;
		start = now();
		for (i = 0; i < N; i++)
			if (process_vm_readv(getpid(), &to, 1, &from, 1, 0) < 0)
				exit(1);
		good[k] = (now() - start) / N;
	}
	tell("mc_memcpy() of 64 bytes behind the end of a file", copy);
	tell("the same, with a region's callback", region);
	tell("a SIGBUS sent to itself, handled by the library", sent);
	tell("the same system calls, no signal", nothing);
	tell("mc_call() of a load there", block);
	tell("mc_call() of nothing", tryit);
	tell("mc_try_nomask() of nothing", nomask);
	tell("process_vm_readv(2) of 64 bytes there, -EFAULT", kernel);
	tell("process_vm_readv(2) of 64 bytes that are there", good);
}

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "signal")) {
		faults();
		return 0;
	}
	if (argc > 1 && !mc_copy_choose(argv[1])) {
		fprintf(stderr, "bench: no routine %s here\n", argv[1]);
		return 1;
	}
	copies();
	return 0;
}
