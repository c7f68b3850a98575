/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A test is a process. It passes if it ends as it should: with status 0, or by the
 * signal that it says.
 */
#ifndef MC_TEST_H
#define MC_TEST_H

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mc.h"

#define PAGE	4096UL

#ifndef ARRAY_SIZE
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#endif

/* TSan lets no fault through while a handler runs. */
#if defined(__SANITIZE_THREAD__)
#define NESTED_FAULTS	false
#else
#define NESTED_FAULTS	true
#endif

/* What threads tell each other. */
#define GET(x)		__atomic_load_n(&(x), __ATOMIC_SEQ_CST)
#define SET(x, val)	__atomic_store_n(&(x), val, __ATOMIC_SEQ_CST)

struct test {
	const char *name;
	void (*fn)(void);
	int signal;
	struct test *next;
};

extern struct test *tests, **tests_end;

#define TEST_ENDS_BY(sig, nm)						\
	static void test_##nm(void);					\
	__attribute__((constructor)) static void add_##nm(void)		\
	{								\
		static struct test t = { #nm, test_##nm, sig, NULL };	\
		*tests_end = &t;					\
		tests_end = &t.next;					\
	}								\
	static void test_##nm(void)
#define TEST(nm)	TEST_ENDS_BY(0, nm)

#define CHECK(cond) do {						\
	if (!(cond)) {							\
		printf("# %s:%d: not so: %s\n", __FILE__, __LINE__, #cond); \
		fflush(stdout);						\
		_exit(1);						\
	}								\
} while (0)

#define EQ(want, is) do {						\
	long long want_ = (long long)(want), is_ = (long long)(is);	\
	if (want_ != is_) {						\
		printf("# %s:%d: %s is %lld (%#llx), not %lld (%#llx)\n", __FILE__, \
		       __LINE__, #is, is_, is_, want_, want_);		\
		fflush(stdout);						\
		_exit(1);						\
	}								\
} while (0)

static inline unsigned char pattern(size_t i)
{
	return (unsigned char)(i * 7 + i / 251 + 1);
}

/* pages of a file that has lost all but the first few. */
static inline unsigned char *truncated(size_t pages, size_t left, int *fd)
{
	int f = memfd_create("mc-test", MFD_CLOEXEC);
	unsigned char *map;
	size_t i;

	CHECK(f >= 0);
	EQ(0, ftruncate(f, (off_t)(pages * PAGE)));
	map = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, f, 0);
	CHECK(map != MAP_FAILED);
	for (i = 0; i < pages * PAGE; i++)
		map[i] = pattern(i);
	EQ(0, ftruncate(f, (off_t)(left * PAGE)));
	if (fd)
		*fd = f;
	else
		close(f);
	return map;
}

/* One load that nobody can optimize away, and nobody watches. */
__attribute__((noinline, unused)) __attribute__((no_sanitize_address, no_sanitize_thread))
static unsigned char touch(const volatile unsigned char *p)
{
	return *p;
}

#endif
