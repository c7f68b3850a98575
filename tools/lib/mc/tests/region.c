// SPDX-License-Identifier: GPL-2.0
/* Regions: mended under whatever touches them, unwound, passed on. */

#include <errno.h>
#include <pthread.h>

#include "test.h"

static int calls;

/* Put a page of 'm' and a zero at its end where the lost one was. */
static int mend(const struct mc_fault *f, void *arg)
{
	char *page = f->start;

	__atomic_add_fetch(&calls, 1, __ATOMIC_SEQ_CST);
	if (mmap(page, f->len, PROT_READ | PROT_WRITE, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS,
		 -1, 0) != page)
		return MC_PASS;
	memset(page, 'm', f->len - 1);
	return MC_RETRY;
}

static int answer(const struct mc_fault *f, void *arg)
{
	__atomic_add_fetch(&calls, 1, __ATOMIC_SEQ_CST);
	return *(int *)arg;
}

/* libc's own routines, which know nothing of us. */
static size_t (*volatile p_strlen)(const char *) = strlen;
static void *(*volatile p_memcpy)(void *, const void *, size_t) = memcpy;

__attribute__((noinline, no_sanitize_address, no_sanitize_thread))
static unsigned long xadd(unsigned long *p, unsigned long n)
{
	__asm__ volatile("lock xadd %0, %1" : "+r" (n), "+m" (*p) : : "memory");
	return n;
}

TEST(retry)
{
	unsigned char *map = truncated(8, 1, NULL), buf[2 * PAGE];
	size_t i;

	EQ(0, mc_init(0));
	EQ(0, mc_region_add(map, 8 * PAGE, mend, NULL));
	memset(map, 'x', PAGE);
	EQ(2 * PAGE - 1, p_strlen((char *)map));
	EQ(1, calls);
	p_memcpy(buf, map + 2 * PAGE, 2 * PAGE);
	for (i = 0; i < 2 * PAGE; i++)
		EQ((i + 1) % PAGE ? 'm' : 0, buf[i]);
	EQ(3, calls);
	EQ(0x6d6d6d6d6d6d6d6d, xadd((unsigned long *)(map + 4 * PAGE + 64), 1));
	EQ(0x6d6d6d6d6d6d6d6e, *(unsigned long *)(map + 4 * PAGE + 64));
	EQ(4, calls);
	EQ(0, mc_memcpy(buf, map + 5 * PAGE + 100, PAGE));
	EQ(6, calls);
	EQ(0, mc_region_remove(map, 8 * PAGE));
	EQ(PAGE, mc_memcpy(buf, map + 7 * PAGE - 1, PAGE + 1));
	EQ(6, calls);
}

TEST(unwind)
{
	unsigned char *map = truncated(2, 1, NULL), buf[64];
	int what = MC_UNWIND;

	EQ(0, mc_init(0));
	EQ(0, mc_region_add(map, 2 * PAGE, answer, &what));
	EQ(24, mc_memcpy(buf, map + PAGE - 40, 64));
	EQ(1, calls);
}

/* Not even a copy's landing pad is looked for. */
TEST_ENDS_BY(SIGBUS, pass)
{
	unsigned char *map = truncated(2, 1, NULL), buf[64];
	int what = MC_PASS;

	EQ(0, mc_init(0));
	EQ(0, mc_region_add(map, 2 * PAGE, answer, &what));
	mc_memcpy(buf, map + PAGE - 40, 64);
}

/* Nor a block. */
TEST_ENDS_BY(SIGBUS, pass_in_a_block)
{
	unsigned char *map = truncated(2, 1, NULL);
	int what = MC_PASS;
	struct mc_block b;

	EQ(0, mc_init(0));
	EQ(0, mc_region_add(map, 2 * PAGE, answer, &what));
	if (mc_try(&b)) {
		touch(map + PAGE);
		mc_leave(&b);
	}
}

TEST_ENDS_BY(SIGBUS, unwind_to_nowhere)
{
	unsigned char *map = truncated(2, 1, NULL);
	int what = MC_UNWIND;

	EQ(0, mc_init(0));
	EQ(0, mc_region_add(map, 2 * PAGE, answer, &what));
	touch(map + PAGE);
}

/* The one with the address is first, then its neighbours in the page. */
TEST(neighbours)
{
	unsigned char *map = truncated(2, 1, NULL);
	int pass = MC_PASS;

	EQ(0, mc_init(0));
	EQ(0, mc_region_add(map + PAGE, 64, mend, NULL));
	EQ(0, mc_region_add(map + PAGE + 64, 64, answer, &pass));
	EQ(0, mc_region_add(map + PAGE + 1024, 64, answer, &pass));
	EQ('m', touch(map + PAGE + 64));
	EQ(2, calls);
}

TEST(bad_regions)
{
	char *p = (char *)0x100000;
	int what = 0;

	EQ(-EINVAL, mc_region_add(p, 0, answer, &what));
	EQ(-EINVAL, mc_region_add(p, 10, NULL, &what));
	EQ(-EINVAL, mc_region_add(p, ~0UL, answer, &what));
	EQ(0, mc_region_add(p, 0x1000, answer, &what));
	EQ(-EEXIST, mc_region_add(p, 0x1000, answer, &what));
	EQ(-EEXIST, mc_region_add(p - 1, 2, answer, &what));
	EQ(-EEXIST, mc_region_add(p + 0xfff, 2, answer, &what));
	EQ(-EEXIST, mc_region_add(p - 1, 0x2000, answer, &what));
	EQ(0, mc_region_add(p - 1, 1, answer, &what));
	EQ(0, mc_region_add(p + 0x1000, 1, answer, &what));
	EQ(-ENOENT, mc_region_remove(p, 0x1001));
	EQ(-ENOENT, mc_region_remove(p + 1, 0xfff));
	EQ(0, mc_region_remove(p, 0x1000));
	EQ(-ENOENT, mc_region_remove(p, 0x1000));
}

/* 20,000 of them, in no order. */
TEST(many_regions)
{
	enum { N = 20000 };
	int what = MC_UNWIND;
	unsigned char *map = truncated(2, 1, NULL);
	size_t i;

	EQ(0, mc_init(0));
	for (i = 0; i < N; i++)
		EQ(0, mc_region_add((char *)0x100000 + i * 7919 % N * 4096, 4096, answer, &what));
	EQ(0, mc_region_add(map, PAGE * 2, mend, NULL));
	EQ('m', touch(map + PAGE));
	EQ(1, calls);
	for (i = 0; i < N; i++)
		EQ(0, mc_region_remove((char *)0x100000 + i * 4096, 4096));
}

/* A callback may fail itself, and cannot change what there is. */
static int nosy(const struct mc_fault *f, void *arg)
{
	unsigned char buf[64], *other = arg;
	struct mc_block b;
	int what = 0;

	calls++;
	if (NESTED_FAULTS) {
		EQ(64, mc_memcpy(buf, other + PAGE, 64));
		if (mc_try(&b)) {
			touch(other + PAGE);
			_exit(2);
		}
		EQ(MC_TRUNCATED, b.fault.kind);
	}
	EQ(-EDEADLK, mc_region_add(&what, 1, answer, &what));
	EQ(-EDEADLK, mc_region_remove(f->start, f->len));
	EQ(-EDEADLK, mc_table_remove(NULL));
	EQ(-EDEADLK, mc_init(0));
	EQ(-EDEADLK, mc_exit());
	EQ(-EDEADLK, mc_advice(NULL, NULL));
	EQ(-EDEADLK, mc_sigaction(NULL, NULL));
	return mend(f, NULL);
}

TEST(callback_that_fails)
{
	unsigned char *map = truncated(2, 1, NULL), *other = truncated(2, 1, NULL);

	EQ(0, mc_init(0));
	EQ(0, mc_region_add(map + PAGE, PAGE, nosy, other));
	EQ('m', touch(map + PAGE));
	EQ(2, calls);
	EQ(0, mc_region_remove(map + PAGE, PAGE));
}

/* One that faults in its own region, for ever, is let go. */
static int foolish(const struct mc_fault *f, void *arg)
{
	calls++;
	return touch(arg) ? MC_RETRY : MC_UNWIND;
}

TEST_ENDS_BY(SIGBUS, callback_that_faults_for_ever)
{
	unsigned char *map = truncated(2, 1, NULL);

	EQ(0, mc_init(0));
	EQ(0, mc_region_add(map + PAGE, PAGE, foolish, map + PAGE));
	touch(map + PAGE);
}

/* A block around the instruction does not take the callback's own fault. */
TEST_ENDS_BY(SIGBUS, callback_is_not_given_up)
{
	unsigned char *map = truncated(2, 1, NULL), *other = truncated(2, 1, NULL);
	struct mc_block b;

	EQ(0, mc_init(0));
	EQ(0, mc_region_add(map + PAGE, PAGE, foolish, other + PAGE));
	if (mc_try(&b)) {
		touch(map + PAGE);
		mc_leave(&b);
	}
	_exit(0);
}

/* Removing waits for a callback that is at work, in another thread. */
static int in_callback, let_go, removed;

static int slow(const struct mc_fault *f, void *arg)
{
	SET(in_callback, 1);
	while (!GET(let_go))
		usleep(100);
	CHECK(!GET(removed));
	return mend(f, arg);
}

static void *toucher(void *p)
{
	EQ('m', touch(p));
	return NULL;
}

static void *remover(void *p)
{
	EQ(0, mc_region_remove(p, PAGE));
	SET(removed, 1);
	return NULL;
}

TEST(remove_waits)
{
	unsigned char *map = truncated(2, 1, NULL) + PAGE;
	pthread_t a, b;

	EQ(0, mc_init(0));
	EQ(0, mc_region_add(map, PAGE, slow, NULL));
	pthread_create(&a, NULL, toucher, map);
	while (!GET(in_callback))
		usleep(100);
	pthread_create(&b, NULL, remover, map);
	usleep(100000);
	EQ(0, GET(removed));
	SET(let_go, 1);
	pthread_join(a, NULL);
	pthread_join(b, NULL);
	EQ(1, GET(removed));
}

/* A child does not wait for a handler that ran in a thread which it has not. */
TEST(fork_while_handled)
{
	unsigned char *map = truncated(3, 1, NULL) + PAGE;
	pthread_t a;
	int status;
	pid_t pid;

	EQ(0, mc_init(0));
	EQ(0, mc_region_add(map, PAGE, slow, NULL));
	EQ(0, mc_region_add(map + PAGE, PAGE, mend, NULL));
	pthread_create(&a, NULL, toucher, map);
	while (!GET(in_callback))
		usleep(100);
	pid = fork();
	if (!pid) {
		alarm(10);
		EQ('m', touch(map + PAGE));
		EQ(0, mc_region_remove(map, PAGE));
		EQ(0, mc_region_add(map, PAGE, mend, NULL));
		EQ('m', touch(map));
		EQ(0, mc_region_remove(map + PAGE, PAGE));
		_exit(0);
	}
	EQ(pid, waitpid(pid, &status, 0));
	EQ(0, status);
	SET(let_go, 1);
	pthread_join(a, NULL);
	EQ(0, mc_region_remove(map, PAGE));
}
