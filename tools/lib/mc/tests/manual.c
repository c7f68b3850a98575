// SPDX-License-Identifier: GPL-2.0
/*
 * A program as the man pages tell to write it; tests/package.sh builds it against
 * what was installed. It adds up the words of a mapped file with four threads, in
 * four ways, when the last quarter of the file is gone, and has a cache whose
 * pages may be forgotten, and a handler of its own for what the library does not
 * deal with.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <mc.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#define SIZE	(64 * 4096UL)

MC_REGISTER_TABLE();

static const unsigned char *map;
static volatile sig_atomic_t reports;
static int forgotten;

static void report(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	if (info->si_code == SI_TKILL)
		reports = reports + 1;
	else
		_exit(9);
}

/* libmc(7), mc_region_add(3) */
static int forget(const struct mc_fault *fault, void *arg)
{
	(void)arg;
	if (fault->kind == MC_ADVICE)
		return MC_RETRY;
	if (mmap(fault->start, fault->len, PROT_READ | PROT_WRITE,
		 MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED)
		return MC_UNWIND;
	__atomic_add_fetch(&forgotten, 1, __ATOMIC_RELAXED);
	return MC_RETRY;
}

static int advice(const struct mc_fault *fault, void *arg)
{
	(void)fault;
	(void)arg;
	return MC_RETRY;
}

/* mc_memcpy(3): by the page */
static unsigned long by_copies(size_t *good)
{
	unsigned long sum = 0;
	unsigned char buf[4096];
	size_t at, i, n;

	for (at = 0; at < SIZE; at += sizeof(buf)) {
		n = sizeof(buf) - mc_memcpy(buf, map + at, sizeof(buf));
		for (i = 0; i < n; i++)
			sum += buf[i];
		*good += n;
	}
	return sum;
}

/* by the word */
static unsigned long by_words(size_t *good)
{
	unsigned long sum = 0;
	uint64_t word;
	size_t at;

	for (at = 0; at < SIZE; at += sizeof(word)) {
		if (mc_load64(map + at, &word))
			continue;
		*good += sizeof(word);
		for (; word; word >>= 8)
			sum += word & 0xff;
	}
	return sum;
}

/* mc_call(3): a function that knows nothing of it */
struct page {
	const unsigned char *from;
	unsigned long sum;
};

static void add_page(void *arg)
{
	struct page *p = arg;
	size_t i;

	p->sum = 0;
	for (i = 0; i < 4096; i++)
		p->sum += p->from[i];
}

static unsigned long by_calls(size_t *good)
{
	unsigned long sum = 0;
	struct mc_fault why;
	size_t at;

	for (at = 0; at < SIZE; at += 4096) {
		struct page p = { .from = map + at };

		if (mc_call(add_page, &p, &why)) {
			if (why.kind != MC_TRUNCATED || why.start != map + at || why.len != 4096)
				exit(3);
			continue;
		}
		sum += p.sum;
		*good += 4096;
	}
	return sum;
}

/* mc_table_add(3): an instruction */
static int load(const int *p, int *val)
{
	long kind = 0;
	int v = 0;

	__asm__ volatile("1: movl %[p], %[v]\n"
			 "2:\n\t"
			 MC_ENTRY(1b, 2b, 2b, MC_KIND_IN(0))
			 : "+a" (kind), [v] "+&r" (v) : [p] "m" (*p));
	*val = v;
	return (int)kind;
}

static unsigned long by_instruction(size_t *good)
{
	unsigned long sum = 0;
	size_t at;
	int val;

	for (at = 0; at < SIZE; at += sizeof(val)) {
		unsigned int v;

		if (load((const int *)(map + at), &val) == MC_TRUNCATED)
			continue;
		*good += sizeof(val);
		for (v = (unsigned int)val; v; v >>= 8)
			sum += v & 0xff;
	}
	return sum;
}

struct job {
	unsigned long (*how)(size_t *good);
	unsigned long sum;
	size_t good;
};

static void *run(void *arg)
{
	struct job *j = arg;

	if (mc_thread_stack())
		exit(4);
	j->sum = j->how(&j->good);
	return NULL;
}

int main(void)
{
	struct job jobs[] = {
		{ by_copies, 0, 0 }, { by_words, 0, 0 }, { by_calls, 0, 0 }, { by_instruction, 0, 0 },
	};
	struct sigaction act = { .sa_sigaction = report, .sa_flags = SA_SIGINFO }, old;
	int fd = memfd_create("file", 0), i;
	volatile int status = 0;
	struct mc_block block;
	pthread_t t[4];
	char *cache;

	if (fd < 0 || ftruncate(fd, SIZE))
		return 1;
	map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return 1;
	memset((void *)map, 1, SIZE);
	if (ftruncate(fd, SIZE / 4 * 3))
		return 1;

	/* mc_init(3), mc_sigaction(3) */
	if (mc_init(0) || mc_sigaction(&act, &old) || old.sa_handler != SIG_DFL)
		return 2;
	raise(SIGBUS);
	prctl(PR_MCE_KILL, PR_MCE_KILL_SET, PR_MCE_KILL_EARLY, 0, 0);
	if (mc_advice(advice, NULL))
		return 2;

	for (i = 0; i < 4; i++)
		if (pthread_create(&t[i], NULL, run, &jobs[i]))
			return 2;
	for (i = 0; i < 4; i++) {
		pthread_join(t[i], NULL);
		printf("%zu bytes are good, their sum is %lu\n", jobs[i].good, jobs[i].sum);
		if (jobs[i].good != SIZE / 4 * 3 || jobs[i].sum != jobs[i].good)
			status = 1;
	}

	/* A cache of nothing. */
	cache = mmap(NULL, 4096 * 4, PROT_READ | PROT_WRITE, MAP_SHARED, memfd_create("cache", 0), 0);
	if (cache == MAP_FAILED || mc_region_add(cache, 4096 * 4, forget, NULL))
		return 2;
	strcpy(cache + 5000, "cached");
	printf("%s, %d page forgotten\n", cache + 5000, forgotten);
	if (forgotten != 1 || mc_region_remove(cache, 4096 * 4))
		status = 1;

	if (mc_probe(map, SIZE) != SIZE / 4)
		status = 1;
	if (mc_try(&block)) {
		status = *(volatile const unsigned char *)(map + SIZE - 1) + 1;
		mc_leave(&block);
	} else if (block.fault.kind != MC_TRUNCATED) {
		status = 1;
	}
	printf("%d report, status %d\n", (int)reports, status);
	return mc_exit() || reports != 1 ? 1 : status;
}
