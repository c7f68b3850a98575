// SPDX-License-Identifier: GPL-2.0
/* Code that can be given up. */

#include <errno.h>
#include <pthread.h>
#include <ucontext.h>

#include "test.h"

static unsigned char *map, *end;

static void setup(void)
{
	map = truncated(4, 2, NULL);
	end = map + 2 * PAGE;
	EQ(0, mc_init(0));
}

static void load_it(void *p)
{
	touch(p);
}

TEST(call)
{
	struct mc_fault f;

	setup();
	EQ(0, mc_call(load_it, end - 1, &f));
	EQ(MC_TRUNCATED, mc_call(load_it, end, &f));
	EQ(MC_TRUNCATED, f.kind);
	EQ((uintptr_t)end, (uintptr_t)f.addr);
	EQ((uintptr_t)end, (uintptr_t)f.start);
	EQ(PAGE, f.len);
	CHECK((char *)f.ip >= (char *)touch && (char *)f.ip < (char *)touch + 256);
	EQ(MC_TRUNCATED, mc_call(load_it, end, NULL));
}

TEST(nest)
{
	struct mc_block a, b, c;
	volatile int where = 0;

	setup();
	if (!mc_try(&a)) {
		EQ(3, where);
		where = 4;
	} else if (!mc_try(&b)) {
		EQ(1, where);
		where = 2;
		/* What was inside is gone; what was not left either. */
		if (!mc_try(&c))
			CHECK(false);
		mc_leave(&c);
		where = 3;
		touch(end);
		CHECK(false);
	} else {
		if (!mc_try(&c))
			CHECK(false);
		mc_leave(&c);
		where = 1;
		touch(end);
		CHECK(false);
	}
	EQ(4, where);
}

/* A block inside another one that was left without mc_leave(). */
TEST(leave_takes_inner_ones)
{
	struct mc_block a, b;

	setup();
	if (!mc_try(&a))
		_exit(0);
	if (!mc_try(&b))
		CHECK(false);
	mc_leave(&a);
	EQ(MC_TRUNCATED, mc_call(load_it, end, NULL));
	if (mc_try(&a)) {
		touch(end);
		CHECK(false);
	}
}

TEST_ENDS_BY(SIGBUS, left)
{
	struct mc_block a;

	setup();
	if (mc_try(&a))
		mc_leave(&a);
	else
		_exit(0);
	touch(end);
}

/* The mask is that from in front of the block, or of the instruction. */
static int is_blocked(int sig)
{
	sigset_t set;

	sigprocmask(SIG_SETMASK, NULL, &set);
	return sigismember(&set, sig);
}

static void block_usr1(int how)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(how, &set, NULL);
}

TEST(signal_mask)
{
	struct mc_block b;
	int i;

	setup();
	for (i = 0; i < 3; i++) {
		if (mc_try(&b)) {
			block_usr1(SIG_BLOCK);
			touch(end);
			CHECK(false);
		}
		EQ(0, is_blocked(SIGUSR1));
		EQ(0, is_blocked(SIGBUS));
		EQ(0, is_blocked(SIGTERM));
		if (mc_try_nomask(&b)) {
			block_usr1(SIG_BLOCK);
			touch(end);
			CHECK(false);
		}
		EQ(1, is_blocked(SIGUSR1));
		EQ(0, is_blocked(SIGBUS));
		EQ(0, is_blocked(SIGTERM));
		block_usr1(SIG_UNBLOCK);
	}
}

/* A backward memmove() has the direction flag set; nobody else must get it. */
TEST(direction_flag)
{
	struct mc_block b;
	unsigned long flags;

	setup();
	if (mc_try(&b)) {
		__asm__ volatile("std; movzbl (%0), %%eax; cld" : : "r" (end) : "eax", "memory");
		CHECK(false);
	}
	__asm__ volatile("pushf; pop %0" : "=r" (flags));
	EQ(0, flags & 0x400);
	EQ(MC_TRUNCATED, b.fault.kind);
}

/* In a handler of another signal, on its stack. */
static volatile int handled;

static void on_usr1(int sig)
{
	EQ(MC_TRUNCATED, mc_call(load_it, end, NULL));
	handled = 1;
}

TEST(in_a_handler)
{
	struct sigaction act = { .sa_handler = on_usr1, .sa_flags = SA_ONSTACK };

	if (!NESTED_FAULTS)
		return;
	setup();
	EQ(0, mc_thread_stack());
	sigaction(SIGUSR1, &act, NULL);
	raise(SIGUSR1);
	EQ(1, handled);
	EQ(MC_TRUNCATED, mc_call(load_it, end, NULL));
}

/* The stack itself is what is lost: the lower part of it. */
static ucontext_t back, there;
static volatile int came_back;

__attribute__((noinline, no_sanitize_address, no_sanitize_thread))
static int deeper(int n)
{
	volatile char frame[512];

	frame[0] = (char)n;
	return n ? deeper(n - 1) + frame[0] : frame[0];
}

static void go_deep(void *arg)
{
	deeper(1000);
}

static void on_bad_stack(void)
{
	struct mc_fault f;

	EQ(MC_TRUNCATED, mc_call(go_deep, NULL, &f));
	came_back = f.kind;
	swapcontext(&there, &back);
}

TEST(stack_that_is_lost)
{
	int fd = memfd_create("stack", 0), i;
	unsigned char *stack;

	EQ(0, mc_init(0));
	EQ(0, mc_thread_stack());
	EQ(0, ftruncate(fd, 64 * PAGE));
	stack = mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(stack != MAP_FAILED);
	/* The file ends above: what is below has no pages. */
	CHECK(mmap(stack, 56 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd,
		   64 * PAGE) == stack);
	for (i = 0; i < 3; i++) {
		came_back = 0;
		getcontext(&there);
		there.uc_stack.ss_sp = stack;
		there.uc_stack.ss_size = 64 * PAGE;
		there.uc_link = NULL;
		makecontext(&there, on_bad_stack, 0);
		swapcontext(&back, &there);
		EQ(MC_TRUNCATED, came_back);
	}
}

/* Each thread has its own. */
static void *thread(void *arg)
{
	struct mc_fault f;
	int i;

	for (i = 0; i < 2000; i++) {
		EQ(MC_TRUNCATED, mc_call(load_it, end + (uintptr_t)arg, &f));
		EQ((uintptr_t)end + (uintptr_t)arg, (uintptr_t)f.addr);
	}
	return NULL;
}

TEST(threads)
{
	pthread_t t[8];
	uintptr_t i;

	setup();
	for (i = 0; i < 8; i++)
		pthread_create(&t[i], NULL, thread, (void *)(i * 8));
	for (i = 0; i < 8; i++)
		pthread_join(t[i], NULL);
}

/* A thread's stack is there while it is, and not longer. */
static long mapped_kb(void)
{
	long pages = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	CHECK(f && fscanf(f, "%ld", &pages) == 1);
	fclose(f);
	return pages * 4;
}

static void *stack_user(void *arg)
{
	stack_t now;

	EQ(0, mc_thread_stack());
	EQ(0, mc_thread_stack());
	EQ(0, sigaltstack(NULL, &now));
	EQ(0, now.ss_flags);
	CHECK(now.ss_size >= 65536);
	return NULL;
}

TEST(thread_stacks)
{
	long before = 0;
	pthread_t t;
	int i;

	setup();
	for (i = 0; i < 210; i++) {
		pthread_create(&t, NULL, stack_user, NULL);
		pthread_join(t, NULL);
		if (i == 10)
			before = mapped_kb();
	}
	CHECK(mapped_kb() < before + 64 * 20);
}
