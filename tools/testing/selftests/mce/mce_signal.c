// SPDX-License-Identifier: GPL-2.0
/*
 * Memory that the kernel needs to bring a task back to user mode: signal
 * frames with the FPU's registers in them, the stack they go to, the rseq area.
 * And what it reads when the task is at its end, the list of robust futexes.
 *
 * There is no system call to return an error. It is SIGBUS, as for a load of
 * the program itself, and not SIGSEGV: the program did nothing wrong.
 *
 * All of that happens to a child. It says through a pipe what signal it got.
 */
#define _GNU_SOURCE
#include <cpuid.h>
#include <linux/futex.h>
#include <linux/rseq.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/rseq.h>
#include <sys/syscall.h>
#include <sys/ucontext.h>
#include <sys/wait.h>
#include <time.h>

#include "../kselftest_harness.h"
#include "mce_consumed.h"

#define SEED		0x2006
#define STACK_PAGES	16

/* What the child has to say. */
struct word {
	char what;		/* WORD_* */
	__u64 addr;		/* armed: virtual and */
	__u64 phys;		/* physical; or si_addr */
	int code;
};

#define WORD_ARMED	'A'
#define WORD_SIGBUS	'B'
#define WORD_WENT_ON	'W'
#define WORD_TROUBLE	'T'

static int say_fd;
static int go_fd;

static void say(char what, __u64 addr, __u64 phys, int code)
{
	struct word w = { .what = what, .addr = addr, .phys = phys, .code = code };

	if (write(say_fd, &w, sizeof(w)) != sizeof(w))
		_exit(99);
}

/* Tell what is going to be bad, wait until the parent counts, and arm it. */
static void arm_and_wait(const void *addr)
{
	__u64 phys;
	char c;

	if (mce_phys(addr, &phys)) {
		say(WORD_TROUBLE, 0, 0, 0);
		_exit(98);
	}
	say(WORD_ARMED, (unsigned long)addr, phys, 0);
	if (read(go_fd, &c, 1) != 1)
		_exit(97);
	if (mce_arm_phys(phys))
		_exit(98);
}

static void on_bus(int sig, siginfo_t *si, void *uc)
{
	(void)sig;
	(void)uc;
	say(WORD_SIGBUS, (unsigned long)si->si_addr, si->si_addr_lsb, si->si_code);
	_exit(0);
}

/* Alternate stack of the child, and where its first frame has its parts. */
static __u8 *stack;

static void use_altstack(void)
{
	stack_t ss = { .ss_size = STACK_PAGES * MCE_PAGE };

	stack = mmap(NULL, STACK_PAGES * MCE_PAGE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (stack == MAP_FAILED)
		_exit(96);
	ss.ss_sp = stack;
	sigaltstack(&ss, NULL);
}

static void handle(int sig, void (*handler)(int, siginfo_t *, void *), int flags)
{
	struct sigaction act = { .sa_sigaction = handler };

	act.sa_flags = SA_SIGINFO | flags;
	sigemptyset(&act.sa_mask);
	sigaction(sig, &act, NULL);
}

enum part {
	PART_SIGMASK,
	PART_CONTEXT,
	PART_SSE,
	PART_SW_BYTES,
	PART_HEADER,
};

static void *find_part(ucontext_t *uc, enum part part)
{
	__u8 *fp = (void *)uc->uc_mcontext.fpregs;

	switch (part) {
	case PART_SIGMASK:
		return &uc->uc_sigmask;
	case PART_CONTEXT:
		return &uc->uc_mcontext.gregs[REG_R15];
	case PART_SSE:
		return fp + 192;
	case PART_SW_BYTES:
		return fp + 464;
	case PART_HEADER:
		return fp + 512;
	}
	return NULL;
}

static enum part bad_part;
static void *part_addr;

static void on_usr1_arm(int sig, siginfo_t *si, void *uc)
{
	(void)sig;
	(void)si;
	arm_and_wait(find_part(uc, bad_part));
}

static void on_usr1_find(int sig, siginfo_t *si, void *uc)
{
	(void)sig;
	(void)si;
	part_addr = find_part(uc, bad_part);
}

/* Give XSAVE and XRSTOR something to do. */
static void use_sse(void)
{
	asm volatile("pcmpeqd %%xmm0, %%xmm0\n"
		     "pcmpeqd %%xmm3, %%xmm3\n"
		     "pcmpeqd %%xmm15, %%xmm15" : : : "xmm0", "xmm3", "xmm15");
}

/* --- the parent's side --- */

struct child {
	pid_t pid;
	int say;
	int go;
};

static int start(struct child *c, void (*fn)(int arg), int arg)
{
	int up[2], down[2];

	if (pipe(up) || pipe(down))
		return -1;
	c->pid = fork();
	if (c->pid < 0)
		return -1;
	if (!c->pid) {
		close(up[0]);
		close(down[1]);
		say_fd = up[1];
		go_fd = down[0];
		signal(SIGBUS, SIG_DFL);
		fn(arg);
		say(WORD_WENT_ON, 0, 0, 0);
		_exit(0);
	}
	close(up[1]);
	close(down[0]);
	c->say = up[0];
	c->go = down[1];
	return 0;
}

static bool listen_to(struct child *c, struct word *w)
{
	struct pollfd pfd = { .fd = c->say, .events = POLLIN };

	memset(w, 0, sizeof(*w));
	return poll(&pfd, 1, 8000) == 1 && read(c->say, w, sizeof(*w)) == sizeof(*w);
}

/* How it ended: a status of wait(), or -1 if it had to be killed. */
static int finish(struct child *c)
{
	struct timespec ms = { .tv_nsec = 10000000 };
	int status, i;

	for (i = 0; i < 800; i++) {
		if (waitpid(c->pid, &status, WNOHANG) == c->pid)
			goto out;
		nanosleep(&ms, NULL);
	}
	kill(c->pid, SIGKILL);
	waitpid(c->pid, NULL, 0);
	status = -1;
out:
	close(c->say);
	close(c->go);
	return status;
}

/*
 * Let the child go on behind what it has armed, and see what becomes of it:
 * SIGBUS, with an address that is right if it is handled.
 */
enum fate { DIES, HANDLES, EITHER };

static void check_bus(struct __test_metadata *const _metadata, struct child *c,
		      const char *what, enum fate fate)
{
	struct mce_sigbus sb = { 0 };
	struct mce_watch w;
	struct word armed, end;
	bool ended;
	int status;

	ASSERT_TRUE(listen_to(c, &armed));
	ASSERT_EQ(WORD_ARMED, armed.what);
	mce_watch_start(&w);
	ASSERT_EQ(1, write(c->go, "g", 1));
	ended = listen_to(c, &end);
	status = finish(c);
	mce_watch_end(&w, 1);
	mce_outcome("%s: %s, %ld #MC", what,
		    status == -1 ? "hangs" :
		    WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) :
		    end.what == WORD_SIGBUS ? "handler of SIGBUS runs" : "goes on",
		    w.mcs);
	EXPECT_EQ(mce_expected("MCE_EXPECT_MCS", 1), w.mcs);
	EXPECT_EQ(1, w.offlined);
	EXPECT_STREQ("", w.log);
	EXPECT_TRUE(mce_page_offlined(armed.phys));
	if (fate == HANDLES || (fate == EITHER && ended)) {
		ASSERT_TRUE(ended);
		ASSERT_EQ(WORD_SIGBUS, end.what);
		EXPECT_EQ(BUS_MCEERR_AR, end.code);
		sb.addr = (void *)end.addr;
		sb.lsb = end.phys;
		EXPECT_EQ(12, sb.lsb);
		EXPECT_TRUE(mce_sigbus_covers(&sb, (void *)armed.addr));
	} else {
		EXPECT_FALSE(ended);
		EXPECT_TRUE(status != -1 && WIFSIGNALED(status));
		EXPECT_EQ(SIGBUS, WTERMSIG(status));
	}
}

FIXTURE(frame) {};

FIXTURE_VARIANT(frame)
{
	const char *what;
	enum part part;
};

#define PART(name, which)	\
	FIXTURE_VARIANT_ADD(frame, name) { .what = #name, .part = which }

PART(sigmask, PART_SIGMASK);
PART(context, PART_CONTEXT);
PART(sse, PART_SSE);
PART(sw_bytes, PART_SW_BYTES);
PART(xsave_header, PART_HEADER);

FIXTURE_SETUP(frame)
{
	ASSERT_EQ(0, mce_pin(0));
	bad_part = variant->part;
}

FIXTURE_TEARDOWN(frame)
{
	mce_retire();
}

/* The frame is on the ordinary stack; SIGBUS has one of its own, or none. */
static void child_sigreturn(int handled)
{
	use_altstack();
	if (handled)
		handle(SIGBUS, on_bus, SA_ONSTACK);
	handle(SIGUSR1, on_usr1_arm, 0);
	use_sse();
	raise(SIGUSR1);
}

TEST_F(frame, sigreturn)
{
	struct child c;

	ASSERT_EQ(0, start(&c, child_sigreturn, true));
	check_bus(_metadata, &c, variant->what, HANDLES);
}

TEST_F(frame, sigreturn_dies)
{
	struct child c;

	ASSERT_EQ(0, start(&c, child_sigreturn, false));
	check_bus(_metadata, &c, variant->what, DIES);
}

/*
 * The line is bad before the frame is built. Stores go through, so most frames
 * come about, and it is sigreturn that meets the poison. XSAVE loads what is in
 * its header, however.
 */
static void child_deliver(int handled)
{
	use_altstack();
	handle(SIGUSR1, on_usr1_find, SA_ONSTACK);
	use_sse();
	raise(SIGUSR1);
	if (handled)
		handle(SIGBUS, on_bus, 0);
	arm_and_wait(part_addr);
	use_sse();
	raise(SIGUSR1);
}

TEST_F(frame, deliver)
{
	struct child c;

	ASSERT_EQ(0, start(&c, child_deliver, true));
	/* A frame that came about is met on its own stack: room may be left. */
	check_bus(_metadata, &c, variant->what,
		  variant->part == PART_HEADER ? HANDLES : EITHER);
}

TEST_F(frame, deliver_dies)
{
	struct child c;

	ASSERT_EQ(0, start(&c, child_deliver, false));
	check_bus(_metadata, &c, variant->what, DIES);
}

/* The page of the frame is lost, and the program knows. */
static void child_lost_stack(int handled)
{
	__u8 *top;

	use_altstack();
	handle(SIGUSR1, on_usr1_find, SA_ONSTACK);
	bad_part = PART_CONTEXT;
	raise(SIGUSR1);
	top = part_addr;
	arm_and_wait(top);
	mce_load(top, NULL, NULL);
	if (handled)
		handle(SIGBUS, on_bus, 0);
	else
		handle(SIGBUS, on_bus, SA_ONSTACK);
	raise(SIGUSR1);
}

TEST(lost_stack)
{
	struct child c;

	ASSERT_EQ(0, mce_pin(0));
	ASSERT_EQ(0, start(&c, child_lost_stack, true));
	check_bus(_metadata, &c, "signal to a lost stack", HANDLES);
	mce_retire();
}

TEST(lost_stack_of_sigbus)
{
	struct child c;

	ASSERT_EQ(0, mce_pin(0));
	ASSERT_EQ(0, start(&c, child_lost_stack, false));
	check_bus(_metadata, &c, "SIGBUS to a lost stack", DIES);
	mce_retire();
}

/* --- rseq --- */

static struct rseq *my_rseq(void)
{
	char *own = (char *)__builtin_thread_pointer() + __rseq_offset;
	unsigned int len;
	__u8 *page;

	/* glibc's registration is of one of these sizes. */
	for (len = 32; len <= 64; len += 4)
		if (!syscall(SYS_rseq, own, len, RSEQ_FLAG_UNREGISTER, RSEQ_SIG))
			break;
	page = mmap(NULL, MCE_PAGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (page == MAP_FAILED ||
	    syscall(SYS_rseq, page + 1024, 32, 0, RSEQ_SIG)) {
		say(WORD_TROUBLE, 0, 0, errno);
		_exit(95);
	}
	return (struct rseq *)(page + 1024);
}

static void child_rseq_area(int arg)
{
	struct rseq *r = my_rseq();

	(void)arg;
	/* The parent counts: no preemption that matters in between. */
	arm_and_wait(r);
	mce_pin(1);
	sched_yield();
}

TEST(rseq_area)
{
	struct child c;

	ASSERT_EQ(0, mce_pin(0));
	ASSERT_EQ(0, start(&c, child_rseq_area, 0));
	/* Whatever makes it look first: it has no system call to return to. */
	check_bus(_metadata, &c, "rseq area", DIES);
	mce_retire();
}

static void child_rseq_cs(int arg)
{
	struct rseq *r = my_rseq();
	__u8 *page;

	(void)arg;
	page = mmap(NULL, MCE_PAGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (page == MAP_FAILED)
		_exit(94);
	arm_and_wait(page + 512);
	*(volatile __u64 *)&r->rseq_cs = (unsigned long)(page + 512);
	mce_pin(1);
	sched_yield();
}

TEST(rseq_descriptor)
{
	struct child c;

	ASSERT_EQ(0, mce_pin(0));
	ASSERT_EQ(0, start(&c, child_rseq_cs, 0));
	check_bus(_metadata, &c, "rseq descriptor", DIES);
	mce_retire();
}

/* --- robust futexes --- */

FIXTURE(robust) {};

FIXTURE_VARIANT(robust)
{
	const char *what;
	int bad;	/* which of the pieces: see child_robust() */
};

FIXTURE_VARIANT_ADD(robust, head) { .what = "robust list head", .bad = 0 };
FIXTURE_VARIANT_ADD(robust, entry) { .what = "robust list entry", .bad = 1 };
FIXTURE_VARIANT_ADD(robust, word) { .what = "robust futex", .bad = 2 };
FIXTURE_VARIANT_ADD(robust, pending) { .what = "pending robust futex", .bad = 3 };

FIXTURE_SETUP(robust)
{
	ASSERT_EQ(0, mce_pin(0));
}

FIXTURE_TEARDOWN(robust)
{
	mce_retire();
}

/* An entry and its word are 64 bytes apart: a line each. */
struct robust_lock {
	struct robust_list list;
	char pad[MCE_LINE - sizeof(struct robust_list)];
	__u32 word;
	char pad2[MCE_LINE - sizeof(__u32)];
};

static void child_robust(int bad)
{
	struct robust_list_head *head;
	struct robust_lock *lock, *pending;
	__u8 *pages;

	pages = mmap(NULL, 4 * MCE_PAGE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (pages == MAP_FAILED)
		_exit(93);
	head = (void *)pages;
	lock = (void *)(pages + MCE_PAGE);
	pending = (void *)(pages + 2 * MCE_PAGE);
	head->list.next = &lock->list;
	lock->list.next = &head->list;
	head->futex_offset = offsetof(struct robust_lock, word);
	head->list_op_pending = &pending->list;
	lock->word = syscall(SYS_gettid);
	pending->word = syscall(SYS_gettid);
	if (syscall(SYS_set_robust_list, head, sizeof(*head)))
		_exit(92);
	arm_and_wait(bad == 0 ? (void *)head : bad == 1 ? (void *)lock :
		     bad == 2 ? (void *)&lock->word : (void *)&pending->word);
	syscall(SYS_exit_group, 0);
}

TEST_F(robust, at_exit)
{
	struct mce_watch w;
	struct word armed;
	struct child c;
	int status;

	ASSERT_EQ(0, start(&c, child_robust, variant->bad));
	ASSERT_TRUE(listen_to(&c, &armed));
	ASSERT_EQ(WORD_ARMED, armed.what);
	mce_watch_start(&w);
	ASSERT_EQ(1, write(c.go, "g", 1));
	status = finish(&c);
	mce_watch_end(&w, 1);
	mce_outcome("%s: status %#x, %ld #MC", variant->what, status, w.mcs);
	EXPECT_EQ(mce_expected("MCE_EXPECT_MCS", 1), w.mcs);
	EXPECT_EQ(1, w.offlined);
	EXPECT_STREQ("", w.log);
	EXPECT_TRUE(mce_page_offlined(armed.phys));
	EXPECT_EQ(0, status);
}

#include "mce_main.h"
