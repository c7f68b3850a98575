// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel meets poison where no task waits for an answer, or where it
 * cannot be given at once: with interrupts off, in softirqs, interrupts and
 * NMIs, in kernel threads that borrow an mm, in a task that exits, in the
 * midst of handling another machine check, again and again.
 *
 * The machine lives, the page goes out of service, by deferred work if need
 * be, and who touches it later gets the signal. Most cases need the module
 * mce_context.ko from test_modules/.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../kselftest_harness.h"
#include "mce_lib.h"

#define SEED	0x2020
#define JOBS	"/sys/kernel/debug/mce_context"

/* Functions that are called while a machine check is handled, best one first. */
static const char *const in_mce[] = {
	"mce_recover_kernel", "fixup_exception",
};

/* What the module says about a job. */
struct job {
	long left;		/* bytes not copied */
	long left_in_nmi;
	unsigned int tries;
};

/* NULL, or why there is no module. */
static const char *load_module(void)
{
	static const char *const names[] = {
		"mce_context.ko", "test_modules/mce_context.ko",
	};
	char path[PATH_MAX], *base;
	unsigned int i;
	ssize_t n;
	int fd;

	if (!access(JOBS, W_OK))
		return NULL;
	n = readlink("/proc/self/exe", path, sizeof(path) - 64);
	if (n < 0)
		return "needs /proc";
	path[n] = '\0';
	base = strrchr(path, '/') + 1;
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		memcpy(base, names[i], strlen(names[i]) + 1);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			continue;
		if (syscall(SYS_finit_module, fd, "", 0) && errno != EEXIST)
			printf("# %s: %s\n", path, strerror(errno));
		close(fd);
		return access(JOBS, W_OK) ? "mce_context.ko does not load" : NULL;
	}
	return "needs mce_context.ko";
}

/* 0 or a negative errno. */
static int __printf(2, 3) run_job(struct job *job, const char *fmt, ...)
{
	char text[160];
	va_list ap;
	int fd, n, err = 0;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	fd = open(JOBS, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (write(fd, text, n) != n)
		err = errno ? -errno : -EIO;
	memset(job, 0, sizeof(*job));
	n = pread(fd, text, sizeof(text) - 1, 0);
	close(fd);
	if (n <= 0)
		return err ? err : -EIO;
	text[n] = '\0';
	if (sscanf(text, "%ld %ld %u", &job->left, &job->left_in_nmi, &job->tries) != 3)
		return -EIO;
	return err;
}

static __u8 *map_pages(int nr, int flags)
{
	__u8 *buf = mmap(NULL, nr * MCE_PAGE, PROT_READ | PROT_WRITE,
			 flags | MAP_ANONYMOUS, -1, 0);

	if (buf != MAP_FAILED)
		mce_fill(buf, nr * MCE_PAGE, SEED, 0);
	return buf;
}

/* Shared, so that it outlives a child, and can be armed for one. */
static __u8 *pages(int nr)
{
	return map_pages(nr, MAP_SHARED);
}

static __u8 *private_pages(int nr)
{
	return map_pages(nr, MAP_PRIVATE);
}

/* Pages of a case: all of them gone, and whoever touches one hears of it. */
static void check_gone(struct __test_metadata *const _metadata,
		       const __u8 *bad, size_t step, int nr, const __u64 *phys)
{
	struct mce_watch w;
	struct mce_sigbus sb;
	int i;

	for (i = 0; i < nr; i++) {
		EXPECT_TRUE(mce_page_offlined(phys[i]));
		mce_watch_start(&w);
		EXPECT_FALSE(mce_load(bad + i * step, NULL, &sb));
		mce_watch_end(&w, 0);
		EXPECT_EQ(0, w.mcs);
		EXPECT_EQ(1, sb.count);
		EXPECT_EQ(BUS_MCEERR_AR, sb.code);
		EXPECT_TRUE(mce_sigbus_covers(&sb, bad + i * step));
		EXPECT_STREQ("", w.log);
	}
}

FIXTURE(context)
{
	__u8 *buf;
};

FIXTURE_VARIANT(context)
{
	const char *name;
	int pages;		/* that it meets at most before one is settled */
};

/* Interrupts walk no further while what one of them met is not settled. */
FIXTURE_VARIANT_ADD(context, task) { .name = "task", .pages = 12 };
FIXTURE_VARIANT_ADD(context, irqs_off) { .name = "irqs-off", .pages = 12 };
FIXTURE_VARIANT_ADD(context, softirq) { .name = "softirq", .pages = 12 };
FIXTURE_VARIANT_ADD(context, irq) { .name = "irq", .pages = 1 };
FIXTURE_VARIANT_ADD(context, nmi) { .name = "nmi", .pages = 1 };
FIXTURE_VARIANT_ADD(context, kthread) { .name = "kthread", .pages = 12 };
FIXTURE_VARIANT_ADD(context, workqueue) { .name = "workqueue", .pages = 12 };

FIXTURE_SETUP(context)
{
	const char *why = load_module();

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, mce_pin(0));
	self->buf = private_pages(12);
	ASSERT_NE(MAP_FAILED, self->buf);
	/* The worker may have the page of the test before in hand still. */
	usleep(100000);
}

FIXTURE_TEARDOWN(context)
{
	mce_retire();
}

TEST_F(context, once)
{
	const __u8 *bad = self->buf + 512;
	struct mce_watch w;
	struct job job;
	__u64 phys;
	int ret;

	ASSERT_EQ(0, mce_arm(bad, &phys));
	mce_watch_start(&w);
	ret = run_job(&job, "%s %lx %lu 1 0", variant->name, (long)self->buf, MCE_PAGE);
	mce_watch_end(&w, 1);
	mce_outcome("%s: %ld of %lu bytes copied, %ld #MC, %ld offlined",
		    variant->name, MCE_PAGE - job.left, MCE_PAGE, w.mcs, w.offlined);
	EXPECT_EQ(0, ret);
	EXPECT_EQ(MCE_PAGE - 512, job.left);
	EXPECT_EQ(mce_expected("MCE_EXPECT_MCS", 1), w.mcs);
	EXPECT_EQ(1, w.offlined);
	EXPECT_STREQ("", w.log);
	check_gone(_metadata, bad, 0, 1, &phys);
	EXPECT_EQ(-1, mce_differs(self->buf + MCE_PAGE, MCE_PAGE, SEED, MCE_PAGE));
}

/* As a stack walk does that does not know that it was here before. */
TEST_F(context, same_line_twice)
{
	const __u8 *bad = self->buf + 512;
	struct mce_watch w;
	struct job job;
	__u64 phys;
	int ret;

	ASSERT_EQ(0, mce_arm(bad, &phys));
	mce_watch_start(&w);
	ret = run_job(&job, "%s %lx %lu 2 0", variant->name, (long)bad, MCE_LINE);
	mce_watch_end(&w, 1);
	mce_outcome("%s, same line twice: %ld #MC, %ld offlined",
		    variant->name, w.mcs, w.offlined);
	EXPECT_EQ(0, ret);
	EXPECT_EQ(2 * MCE_LINE, job.left);
	EXPECT_GE(w.mcs, 1);
	EXPECT_LE(w.mcs, 2);
	EXPECT_EQ(1, w.offlined);
	EXPECT_STREQ("", w.log);
	check_gone(_metadata, bad, 0, 1, &phys);
}

TEST_F(context, twelve_pages)
{
	const __u8 *bad = self->buf + 1024;
	struct mce_watch w;
	struct job job;
	int i, ret, too_soon = 0;
	__u64 phys[12];

	for (i = 0; i < 12; i++)
		ASSERT_EQ(0, mce_arm(bad + i * MCE_PAGE, &phys[i]));
	for (i = 0; i < 12; i += variant->pages) {
		mce_watch_start(&w);
		ret = run_job(&job, "%s %lx %lu 12 %lu", variant->name,
			      (long)bad, MCE_LINE, MCE_PAGE);
		mce_watch_end(&w, variant->pages);
		mce_outcome("%s, twelve pages: %ld #MC, %ld offlined",
			    variant->name, w.mcs, w.offlined);
		EXPECT_EQ(0, ret);
		EXPECT_EQ(12 * MCE_LINE, job.left);
		/* An NMI touches nothing while the last error is being settled. */
		if (variant->pages == 1 && !w.mcs && too_soon++ < 12) {
			i--;
			continue;
		}
		EXPECT_EQ(variant->pages, w.mcs);
		EXPECT_EQ(variant->pages, w.offlined);
		EXPECT_STREQ("", w.log);
	}
	check_gone(_metadata, bad, MCE_PAGE, 12, phys);
}

/* More than any small number of hits in one page, before it can be unmapped. */
TEST_F(context, twelve_lines)
{
	const __u8 *bad = self->buf + MCE_PAGE;
	struct mce_watch w;
	struct job job;
	__u64 phys;
	int i, ret;

	for (i = 0; i < 12; i++)
		ASSERT_EQ(0, mce_arm(bad + i * MCE_LINE, &phys));
	mce_watch_start(&w);
	ret = run_job(&job, "%s %lx %lu 12 %lu", variant->name, (long)bad,
		      MCE_LINE, MCE_LINE);
	mce_watch_end(&w, 1);
	mce_outcome("%s, twelve lines: %ld #MC, %ld offlined", variant->name,
		    w.mcs, w.offlined);
	EXPECT_EQ(0, ret);
	EXPECT_EQ(12 * MCE_LINE, job.left);
	/* Deferred work on another CPU may be faster than the loop. */
	EXPECT_GE(w.mcs, 1);
	EXPECT_LE(w.mcs, 12);
	EXPECT_EQ(1, w.offlined);
	EXPECT_STREQ("", w.log);
	check_gone(_metadata, bad, 0, 1, &phys);
}

/* Each of them is taken out of service, however many one call meets. */
TEST(two_hundred_pages)
{
	const char *why = load_module();
	const int nr = 200;
	struct mce_watch w;
	__u64 phys[200];
	struct job job;
	__u8 *buf;
	int i, ret;

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, mce_pin(0));
	buf = private_pages(nr);
	ASSERT_NE(MAP_FAILED, buf);
	for (i = 0; i < nr; i++)
		ASSERT_EQ(0, mce_arm(buf + i * MCE_PAGE, &phys[i]));
	mce_watch_start(&w);
	ret = run_job(&job, "task %lx %lu %d %lu", (long)buf, MCE_LINE, nr, MCE_PAGE);
	mce_watch_end(&w, nr);
	mce_outcome("%d pages in one call: %ld #MC, %ld offlined", nr, w.mcs, w.offlined);
	EXPECT_EQ(0, ret);
	EXPECT_EQ(nr * (long)MCE_LINE, job.left);
	EXPECT_EQ(nr, w.mcs);
	EXPECT_STREQ("", w.log);
	EXPECT_EQ(nr, w.offlined);
	check_gone(_metadata, buf, MCE_PAGE, nr, phys);
	mce_retire();
}

static void wait_ms(long ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&ts, NULL);
}

/*
 * A process that does nothing. It has the page in its page table if it is told
 * to, and a frame pointer for who walks its stack. The byte at @ready, in memory
 * that is shared, says that it is there.
 */
static pid_t spin(void *page, void *frame, __u8 *ready)
{
	pid_t pid;

	__atomic_store_n(ready, 0, __ATOMIC_SEQ_CST);
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		mce_pin(1);
		if (page)
			madvise(page, MCE_PAGE, MADV_POPULATE_READ);
		asm volatile("mov %0, %%rbp\n"
			     "movb $1, (%1)\n"
			     "1: pause\n"
			     "jmp 1b\n" : : "a" (frame), "c" (ready) : "memory");
		__builtin_unreachable();
	}
	while (pid > 0 && !__atomic_load_n(ready, __ATOMIC_SEQ_CST))
		wait_ms(10);
	return pid;
}

static bool alive(pid_t pid)
{
	return !waitpid(pid, NULL, WNOHANG);
}

TEST(nmi_in_user_mode)
{
	const char *why = load_module();
	struct mce_watch w;
	struct job job;
	__u64 phys;
	__u8 *buf;
	pid_t pid;
	int ret;

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, mce_pin(0));
	buf = pages(2);
	ASSERT_NE(MAP_FAILED, buf);
	pid = spin(NULL, NULL, buf + MCE_PAGE);
	ASSERT_GT(pid, 0);
	ASSERT_EQ(0, mce_arm(buf + 256, &phys));
	mce_watch_start(&w);
	/* The child has the page mapped, but not in its page table. */
	ret = run_job(&job, "nmi %lx %lu 1 0 1", (long)buf, MCE_PAGE);
	mce_watch_end(&w, 0);
	EXPECT_EQ(0, ret);
	EXPECT_EQ(MCE_PAGE, job.left);
	EXPECT_EQ(0, w.mcs);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);

	/* Now it has. */
	pid = spin(buf, NULL, buf + MCE_PAGE);
	ASSERT_GT(pid, 0);
	mce_watch_start(&w);
	ret = run_job(&job, "nmi %lx %lu 1 0 1", (long)buf, MCE_PAGE);
	mce_watch_end(&w, 1);
	mce_outcome("NMI in user mode: %ld of %lu bytes copied, %ld #MC, %ld offlined, the task %s",
		    MCE_PAGE - job.left, MCE_PAGE, w.mcs, w.offlined,
		    alive(pid) ? "lives" : "is gone");
	EXPECT_EQ(0, ret);
	EXPECT_EQ(MCE_PAGE - 256, job.left);
	EXPECT_EQ(1, w.mcs);
	EXPECT_EQ(1, w.offlined);
	EXPECT_STREQ("", w.log);
	EXPECT_TRUE(alive(pid));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	check_gone(_metadata, buf + 256, 0, 1, &phys);
	mce_retire();
}

/* A profiler follows a frame pointer into the bad line, again and again. */
TEST(perf_callchain)
{
	struct perf_event_attr attr = {
		.size = sizeof(attr),
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.freq = 1,
		.sample_freq = 500,
		.sample_type = PERF_SAMPLE_CALLCHAIN,
		.disabled = 1,
		.exclude_kernel = 1,
		.exclude_callchain_kernel = 1,
	};
	struct perf_event_mmap_page *ring;
	struct mce_watch w;
	__u64 phys;
	__u8 *buf;
	pid_t pid;
	int fd, i;

	ASSERT_EQ(0, mce_pin(0));
	buf = pages(2);
	ASSERT_NE(MAP_FAILED, buf);
	pid = spin(buf, buf + 2048, buf + MCE_PAGE);
	ASSERT_GT(pid, 0);
	fd = syscall(SYS_perf_event_open, &attr, pid, -1, -1, 0);
	if (fd < 0) {
		kill(pid, SIGKILL);
		SKIP(return, "no perf events: %s", strerror(errno));
	}
	ring = mmap(NULL, 9 * MCE_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, ring);
	ASSERT_EQ(0, mce_arm(buf + 2048, &phys));

	mce_watch_start(&w);
	ASSERT_EQ(0, ioctl(fd, PERF_EVENT_IOC_ENABLE, 0));
	for (i = 0; i < 100 && ring->data_head < 256; i++)
		wait_ms(100);
	ASSERT_EQ(0, ioctl(fd, PERF_EVENT_IOC_DISABLE, 0));
	mce_watch_end(&w, 1);
	mce_outcome("perf callchains: %lld bytes of samples, %ld #MC, %ld offlined, the task %s",
		    (long long)ring->data_head, w.mcs, w.offlined,
		    alive(pid) ? "lives" : "is gone");
	EXPECT_GT(ring->data_head, 0);
	EXPECT_EQ(1, w.mcs);
	EXPECT_EQ(1, w.offlined);
	EXPECT_STREQ("", w.log);
	EXPECT_TRUE(alive(pid));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(fd);
	check_gone(_metadata, buf + 2048, 0, 1, &phys);
	mce_retire();
}

/* An NMI while a machine check is handled, and it meets poison as well. */
FIXTURE(nmi_in_mce)
{
	__u8 *buf;
};

FIXTURE_SETUP(nmi_in_mce)
{
	const char *why = load_module();

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, mce_pin(0));
	self->buf = private_pages(2);
	ASSERT_NE(MAP_FAILED, self->buf);
}

FIXTURE_TEARDOWN(nmi_in_mce)
{
	mce_retire();
}

static int job_in_mce(struct job *job, const __u8 *addr, long step)
{
	unsigned int i;
	int ret = -ENOENT;

	for (i = 0; i < ARRAY_SIZE(in_mce) && ret == -ENOENT; i++)
		ret = run_job(job, "nmi-in %lx %lu 1 %ld %s", (long)addr, MCE_LINE,
			      step, in_mce[i]);
	return ret;
}

TEST_F(nmi_in_mce, another_page)
{
	struct mce_watch w;
	struct job job;
	__u64 phys[2];
	int ret;

	ASSERT_EQ(0, mce_arm(self->buf, &phys[0]));
	ASSERT_EQ(0, mce_arm(self->buf + MCE_PAGE, &phys[1]));
	mce_watch_start(&w);
	ret = job_in_mce(&job, self->buf, MCE_PAGE);
	mce_watch_end(&w, 2);
	mce_outcome("poison in an NMI in #MC: %ld #MC, %ld offlined", w.mcs, w.offlined);
	EXPECT_EQ(0, ret);
	EXPECT_EQ(MCE_LINE, job.left);
	EXPECT_EQ(MCE_LINE, job.left_in_nmi);
	EXPECT_EQ(2, w.mcs);
	EXPECT_EQ(2, w.offlined);
	EXPECT_STREQ("", w.log);
	check_gone(_metadata, self->buf, MCE_PAGE, 2, phys);
}

TEST_F(nmi_in_mce, same_line)
{
	struct mce_watch w;
	struct job job;
	__u64 phys;
	int ret;

	ASSERT_EQ(0, mce_arm(self->buf, &phys));
	mce_watch_start(&w);
	ret = job_in_mce(&job, self->buf, 0);
	mce_watch_end(&w, 1);
	mce_outcome("the same line in an NMI in #MC: %ld #MC, %ld offlined",
		    w.mcs, w.offlined);
	EXPECT_EQ(0, ret);
	EXPECT_EQ(MCE_LINE, job.left);
	EXPECT_EQ(MCE_LINE, job.left_in_nmi);
	EXPECT_EQ(2, w.mcs);
	EXPECT_EQ(1, w.offlined);
	EXPECT_STREQ("", w.log);
	check_gone(_metadata, self->buf, 0, 1, &phys);
}

/* The NMI finds nothing wrong: that must work in any case. */
TEST_F(nmi_in_mce, good_page)
{
	struct mce_watch w;
	struct job job;
	__u64 phys;
	int ret;

	ASSERT_EQ(0, mce_arm(self->buf, &phys));
	mce_watch_start(&w);
	ret = job_in_mce(&job, self->buf, MCE_PAGE);
	mce_watch_end(&w, 1);
	mce_outcome("an NMI in #MC: %ld #MC, %ld offlined", w.mcs, w.offlined);
	EXPECT_EQ(0, ret);
	EXPECT_EQ(MCE_LINE, job.left);
	EXPECT_EQ(0, job.left_in_nmi);
	EXPECT_EQ(1, w.mcs);
	EXPECT_EQ(1, w.offlined);
	EXPECT_STREQ("", w.log);
	check_gone(_metadata, self->buf, 0, 1, &phys);
}

/* The kernel looks at a task's robust futexes when it exits. */
TEST(exiting_task)
{
	struct robust_list_head *head;
	struct mce_watch w;
	int status = 0;
	__u64 phys;
	__u8 *buf;
	int go[2];
	pid_t pid;
	char c;

	ASSERT_EQ(0, mce_pin(0));
	buf = pages(1);
	ASSERT_NE(MAP_FAILED, buf);
	ASSERT_EQ(0, pipe(go));
	head = (void *)(buf + 512);
	head->list.next = &head->list;
	head->futex_offset = 0;
	head->list_op_pending = NULL;
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		mce_pin(0);
		close(go[1]);
		madvise(buf, MCE_PAGE, MADV_POPULATE_READ);
		if (syscall(SYS_set_robust_list, head, sizeof(*head)) ||
		    mce_arm(head, NULL) || read(go[0], &c, 1))
			_exit(1);
		_exit(42);
	}
	ASSERT_GT(pid, 0);
	ASSERT_EQ(0, mce_phys(head, &phys));
	mce_watch_start(&w);
	/* It waits for the end of the pipe. */
	close(go[1]);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	mce_watch_end(&w, 1);
	mce_outcome("robust list of an exiting task: %s %d, %ld #MC, %ld offlined",
		    WIFEXITED(status) ? "status" : "signal",
		    WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status),
		    w.mcs, w.offlined);
	EXPECT_TRUE(WIFEXITED(status));
	EXPECT_EQ(42, WEXITSTATUS(status));
	EXPECT_EQ(1, w.mcs);
	EXPECT_EQ(1, w.offlined);
	EXPECT_STREQ("", w.log);
	check_gone(_metadata, (__u8 *)head, 0, 1, &phys);
	close(go[0]);
	mce_retire();
}

/*
 * Kernel code that tries again until it works. It must end, in bounded time
 * and with a bounded number of machine checks, and the child with it.
 */
TEST(no_progress)
{
	const char *why = load_module();
	struct mce_watch w;
	int status = 0;
	__u64 phys;
	__u8 *buf;
	pid_t pid;

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, mce_pin(0));
	buf = pages(1);
	ASSERT_NE(MAP_FAILED, buf);
	ASSERT_EQ(0, mce_arm(buf + 64, &phys));
	mce_watch_start(&w);
	pid = fork();
	if (!pid) {
		struct job job;
		int ret;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		madvise(buf, MCE_PAGE, MADV_POPULATE_READ);
		ret = run_job(&job, "forever %lx 1 1 0", (long)buf + 64);
		printf("# %u tries, %s\n", job.tries,
		       ret ? strerror(-ret) : "and then it worked");
		/* Who retries without end and is not ended waits 20 seconds. */
		_exit(ret == -ETIMEDOUT ? 1 : 2);
	}
	ASSERT_GT(pid, 0);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	mce_watch_end(&w, 1);
	mce_outcome("retries without end: %s %d, %ld #MC, %ld offlined",
		    WIFEXITED(status) ? "status" : "signal",
		    WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status),
		    w.mcs, w.offlined);
	EXPECT_TRUE(WIFSIGNALED(status));
	if (WTERMSIG(status) != SIGBUS)
		EXPECT_EQ(SIGKILL, WTERMSIG(status));
	EXPECT_LE(w.mcs, 1000);
	EXPECT_EQ(1, w.offlined);
	EXPECT_STREQ("", w.log);
	check_gone(_metadata, buf + 64, 0, 1, &phys);
	mce_retire();
}

/*
 * Each CPU has found an error of its own, and the machine dies of them. The test
 * passes if the log then has what every CPU has found: the one that names the
 * bad DIMM need not be that of the CPU that panics.
 */
TEST(fatal_everywhere)
{
	const char *why = load_module();
	struct job job;

	if (why)
		SKIP(return, "%s", why);
	run_job(&job, "fatal 7b1d1ca000 %lu 1 %lu", MCE_LINE, MCE_LINE);
	ASSERT_TRUE(false) TH_LOG("the machine lives");
}

#include "mce_main.h"
