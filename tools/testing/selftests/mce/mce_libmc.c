// SPDX-License-Identifier: GPL-2.0
/*
 * tools/lib/mc, the exception table of user programs, meets memory that is bad.
 *
 * One machine check for each error; a copy that has copied all that is good; who
 * mends it goes on where he was, who does not is where he wants to be; and whoever
 * is not there to be asked ends the program as ever. What needs no bad memory is
 * tested by the library's own tests.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../kselftest_harness.h"
#include "mce_lib.h"
#include "internal.h"

#define MC_SAMPLE_WITHOUT_MAIN
#include "samples/mcgrep.c"
#include "samples/mcstore.c"
#include "samples/mcvmm.c"

#define SEED	0x2b001
#define NPAGES	4

static __u8 *fresh(size_t pages)
{
	__u8 *map = mmap(NULL, pages * MCE_PAGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (map == MAP_FAILED)
		return NULL;
	mce_fill(map, pages * MCE_PAGE, SEED, 0);
	return map;
}

static bool fault_covers(const struct mc_fault *f, const void *addr)
{
	return (const __u8 *)addr >= (__u8 *)f->start && (const __u8 *)addr < (__u8 *)f->start + f->len;
}

FIXTURE(copy)
{
	__u8 *map;
};

FIXTURE_VARIANT(copy)
{
	const char *routine;
	size_t from;		/* offset of the source in the page before the bad one */
	size_t len;
	size_t bad;		/* offset of the bad byte in its page */
};

FIXTURE_VARIANT_ADD(copy, sse2)
{
	.routine = "sse2", .from = 4000, .len = 2048, .bad = 1024 + 7,
};

FIXTURE_VARIANT_ADD(copy, sse2_unaligned)
{
	.routine = "sse2", .from = 4005, .len = 2048, .bad = 1024 + 7,
};

FIXTURE_VARIANT_ADD(copy, avx2)
{
	.routine = "avx2", .from = 3968, .len = 2048, .bad = 1024 + 64 + 7,
};

FIXTURE_VARIANT_ADD(copy, avx2_unaligned)
{
	.routine = "avx2", .from = 4005, .len = 2048, .bad = 1024 + 7,
};

FIXTURE_VARIANT_ADD(copy, avx2_short)
{
	.routine = "avx2", .from = 4096 + 64 * 5 - 21, .len = 40, .bad = 64 * 5 + 63,
};

FIXTURE_VARIANT_ADD(copy, string)
{
	.routine = "erms", .from = 4005, .len = 2048, .bad = 1024 + 7,
};

FIXTURE_VARIANT_ADD(copy, chosen)
{
	.from = 4005, .len = 8000, .bad = 1024 + 7,
};

FIXTURE_SETUP(copy)
{
	ASSERT_EQ(0, mce_pin(0));
	ASSERT_EQ(0, mc_init(0));
	self->map = fresh(NPAGES);
	ASSERT_NE(NULL, self->map);
	if (!mc_copy_choose(variant->routine))
		SKIP(return, "this CPU cannot do that");
}

FIXTURE_TEARDOWN(copy)
{
	mce_retire();
	munmap(self->map, NPAGES * MCE_PAGE);
}

TEST_F(copy, exact)
{
	__u8 *src = self->map + variant->from, *addr = self->map + MCE_PAGE + variant->bad;
	__u8 buf[8192];
	__u8 *line = (__u8 *)((unsigned long)addr & ~(MCE_LINE - 1));
	size_t good = line - src, left;
	struct mc_fault f;
	struct mce_watch w;
	__u64 phys;

	memset(buf, 0xee, sizeof(buf));
	ASSERT_EQ(0, mce_arm(addr, &phys));
	mce_watch_start(&w);
	left = mc_memcpy(buf, src, variant->len);
	mce_watch_end(&w, 1);
	mce_outcome("%zu of %zu bytes not copied, %ld #MC", left, variant->len, w.mcs);
	EXPECT_EQ(variant->len - good, left);
	EXPECT_EQ(-1, mce_differs(buf, good, SEED, variant->from));
	EXPECT_EQ(0xee, buf[good]);
	EXPECT_EQ(1, w.mcs);
	EXPECT_EQ(1, w.offlined);
	EXPECT_STREQ("", w.log);
	EXPECT_TRUE(mce_page_offlined(phys));
	ASSERT_EQ(0, mc_last(&f));
	EXPECT_EQ(MC_ERROR, f.kind);
	EXPECT_EQ(BUS_MCEERR_AR, f.code);
	EXPECT_EQ(MCE_PAGE, f.len);
	EXPECT_TRUE(fault_covers(&f, addr));

	/* The page is gone now, at no further cost. */
	mce_watch_start(&w);
	EXPECT_EQ(100, mc_memcpy(buf, self->map + MCE_PAGE - 10, 110));
	EXPECT_EQ(64, mc_memcpy(self->map + MCE_PAGE, buf, 64));
	EXPECT_EQ(0, mc_memcpy(buf, self->map + 2 * MCE_PAGE, 64));
	mce_watch_end(&w, 0);
	EXPECT_EQ(0, w.mcs);
	ASSERT_EQ(0, mc_last(&f));
	EXPECT_EQ(MC_ERROR, f.kind);
}

TEST(loads_and_probe)
{
	__u8 *map = fresh(NPAGES);
	struct mce_watch w;
	__u64 val = 5;

	ASSERT_NE(NULL, map);
	ASSERT_EQ(0, mce_pin(0));
	ASSERT_EQ(0, mc_init(0));
	ASSERT_EQ(0, mce_arm(map + MCE_PAGE + 640, NULL));
	ASSERT_EQ(0, mce_arm(map + 2 * MCE_PAGE + 640, NULL));
	mce_watch_start(&w);
	EXPECT_EQ(0, mc_probe(map, MCE_PAGE + 640));
	EXPECT_EQ(60, mc_probe(map + 100, MCE_PAGE + 640 + 60 - 100));
	EXPECT_EQ(0, mc_load64(map + 2 * MCE_PAGE + 632, (uint64_t *)&val));
	/* The last byte of a word is in the bad line. */
	EXPECT_EQ(MC_ERROR, mc_load64(map + 2 * MCE_PAGE + 633, (uint64_t *)&val));
	mce_watch_end(&w, 2);
	EXPECT_EQ(-1, mce_differs(&val, 8, SEED, 2 * MCE_PAGE + 632));
	mce_outcome("%ld #MC", w.mcs);
	EXPECT_EQ(2, w.mcs);
	mce_retire();
}

/* What can be read again from its file is, below the library. */
TEST(clean_file)
{
	struct mce_file f;
	struct mce_watch w;
	__u8 buf[MCE_PAGE];

	if (mce_file_open(&f, MCE_FS_EXT4, NPAGES, 1, SEED))
		SKIP(return, "no directory on ext4");
	__u8 *map = mmap(NULL, NPAGES * MCE_PAGE, PROT_READ, MAP_SHARED, f.fd, 0);

	ASSERT_NE(MAP_FAILED, map);
	ASSERT_EQ(0, mce_pin(0));
	ASSERT_EQ(0, mc_init(0));
	ASSERT_EQ(-1, mce_differs(map, NPAGES * MCE_PAGE, SEED, 0));
	ASSERT_EQ(0, mce_arm(map + MCE_PAGE + 1024, NULL));
	mce_watch_start(&w);
	EXPECT_EQ(0, mc_memcpy(buf, map + MCE_PAGE, MCE_PAGE));
	mce_watch_end(&w, 1);
	mce_outcome("healed, %ld #MC", w.mcs);
	EXPECT_EQ(1, w.mcs);
	EXPECT_EQ(-1, mce_differs(buf, MCE_PAGE, SEED, MCE_PAGE));
	mce_retire();
	munmap(map, NPAGES * MCE_PAGE);
	mce_file_close(&f);
}

/* A page of 'm' for the one that is lost, under code that knows nothing of it. */
static int mend(const struct mc_fault *f, void *arg)
{
	int *calls = arg;

	if (f->kind == MC_ADVICE)
		return MC_PASS;
	__atomic_add_fetch(calls, 1, __ATOMIC_SEQ_CST);
	if (mmap(f->start, f->len, PROT_READ | PROT_WRITE, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS,
		 -1, 0) != f->start)
		return MC_PASS;
	memset(f->start, 'm', f->len - 1);
	return MC_RETRY;
}

static size_t (*volatile p_strlen)(const char *) = strlen;
static void *(*volatile p_memcpy)(void *, const void *, size_t) = memcpy;

static unsigned long xadd(unsigned long *p, unsigned long n)
{
	asm volatile("lock xadd %0, %1" : "+r" (n), "+m" (*p) : : "memory");
	return n;
}

TEST(retry)
{
	__u8 *map = fresh(2 * NPAGES), buf[MCE_PAGE], old[MCE_PAGE];
	struct mce_watch w;
	int calls = 0, i;

	ASSERT_NE(NULL, map);
	ASSERT_EQ(0, mce_pin(0));
	ASSERT_EQ(0, mc_init(0));
	ASSERT_EQ(0, mc_region_add(map, 2 * NPAGES * MCE_PAGE, mend, &calls));
	memset(map, 'x', 2 * MCE_PAGE - 1);
	map[2 * MCE_PAGE - 1] = 0;
	memcpy(old, map + 3 * MCE_PAGE, MCE_PAGE);
	for (i = 1; i < 6; i += 2)
		ASSERT_EQ(0, mce_arm(map + i * MCE_PAGE + 1024, NULL));
	mce_watch_start(&w);
	/* Behind the bad line, strlen() goes on in the new page. */
	EXPECT_EQ(2 * MCE_PAGE - 1, p_strlen((char *)map));
	p_memcpy(buf, map + 3 * MCE_PAGE, MCE_PAGE);
	EXPECT_EQ(0x6d6d6d6d6d6d6d6dUL, xadd((unsigned long *)(map + 5 * MCE_PAGE + 1024), 1));
	EXPECT_EQ(0x6d6d6d6d6d6d6d6eUL, *(unsigned long *)(map + 5 * MCE_PAGE + 1024));
	mce_watch_end(&w, 3);
	mce_outcome("%d times mended, %ld #MC", calls, w.mcs);
	/* Up or down, or the ends first: only what is loaded after the bad line is new. */
	for (i = 0; i < MCE_PAGE - 1; i++)
		if (buf[i] != 'm' && (i / 64 == 1024 / 64 || buf[i] != old[i]))
			break;
	EXPECT_EQ(MCE_PAGE - 1, i);
	EXPECT_EQ(3, calls);
	EXPECT_EQ(3, w.mcs);
	EXPECT_EQ(3, w.offlined);
	EXPECT_EQ(0, mc_region_remove(map, 2 * NPAGES * MCE_PAGE));
	mce_retire();
}

static void length(void *arg)
{
	p_strlen(arg);
}

TEST(block)
{
	__u8 *map = fresh(NPAGES);
	struct mce_watch w;
	struct mc_fault f;

	ASSERT_NE(NULL, map);
	ASSERT_EQ(0, mce_pin(0));
	ASSERT_EQ(0, mc_init(0));
	memset(map, 'x', NPAGES * MCE_PAGE - 1);
	map[NPAGES * MCE_PAGE - 1] = 0;
	ASSERT_EQ(0, mce_arm(map + MCE_PAGE + 1024, NULL));
	mce_watch_start(&w);
	EXPECT_EQ(MC_ERROR, mc_call(length, map, &f));
	mce_watch_end(&w, 1);
	mce_outcome("given up, %ld #MC", w.mcs);
	EXPECT_EQ(1, w.mcs);
	EXPECT_TRUE(fault_covers(&f, map + MCE_PAGE + 1024));
	EXPECT_EQ(MC_ERROR, mc_call(length, map, &f));
	mce_retire();
}

/* A stack has a bad line. */
static int deeper(int n)
{
	volatile char frame[512];

	/* Whatever is there. */
	asm volatile("" : "=m" (frame));
	frame[0] = frame[64];
	return n ? deeper(n - 1) + frame[0] : frame[0];
}

static void go_deep(void *arg)
{
	deeper(60);
}

struct deep {
	int kind;
};

static void *on_bad_stack(void *arg)
{
	struct deep *d = arg;

	mc_thread_stack();
	d->kind = mc_call(go_deep, NULL, NULL);
	return NULL;
}

TEST(stack)
{
	size_t size = 32 * MCE_PAGE;
	pthread_attr_t attr;
	struct deep d = { 0 };
	struct mce_watch w;
	__u8 *stack;
	pthread_t t;
	int i;

	ASSERT_EQ(0, mce_pin(0));
	ASSERT_EQ(0, mc_init(0));
	stack = fresh(32);
	ASSERT_NE(NULL, stack);
	/* All of a page below the frames that the thread begins with. */
	for (i = 0; i < 64; i++)
		ASSERT_EQ(0, mce_arm(stack + size - 4 * MCE_PAGE + i * 64, NULL));
	pthread_attr_init(&attr);
	pthread_attr_setstack(&attr, stack, size);
	mce_watch_start(&w);
	ASSERT_EQ(0, pthread_create(&t, &attr, on_bad_stack, &d));
	pthread_join(t, NULL);
	mce_watch_end(&w, 1);
	mce_outcome("%s, %ld #MC", d.kind == MC_ERROR ? "given up" : "went through", w.mcs);
	EXPECT_EQ(MC_ERROR, d.kind);
	EXPECT_EQ(1, w.mcs);
	mce_retire();
}

/* Eight at once, each its own. */
struct reader {
	pthread_t thread;
	__u8 *map;
	size_t left;
	long differs;
	int kind;
};

static void *read_it(void *arg)
{
	struct reader *r = arg;
	__u8 buf[MCE_PAGE];
	struct mc_fault f;

	r->left = mc_memcpy(buf, r->map, MCE_PAGE);
	r->differs = mce_differs(buf, MCE_PAGE - r->left, SEED, 0);
	r->kind = mc_last(&f) ? 0 : f.kind;
	return NULL;
}

TEST(threads)
{
	struct reader r[8];
	struct mce_watch w;
	int i;

	ASSERT_EQ(0, mc_init(0));
	for (i = 0; i < 8; i++) {
		r[i].map = fresh(1);
		ASSERT_NE(NULL, r[i].map);
		ASSERT_EQ(0, mce_arm(r[i].map + i * 256, NULL));
	}
	mce_watch_start(&w);
	for (i = 0; i < 8; i++)
		ASSERT_EQ(0, pthread_create(&r[i].thread, NULL, read_it, &r[i]));
	for (i = 0; i < 8; i++)
		pthread_join(r[i].thread, NULL);
	mce_watch_end(&w, 8);
	mce_outcome("%ld #MC", w.mcs);
	for (i = 0; i < 8; i++) {
		EXPECT_EQ(MCE_PAGE - i * 256, r[i].left);
		EXPECT_EQ(-1, r[i].differs);
		EXPECT_EQ(MC_ERROR, r[i].kind);
	}
	/* With a broadcast, two may be one interrupt, or one may be two. */
	EXPECT_EQ(8, w.offlined);
	if (mce_counts_exactly())
		EXPECT_EQ(8, w.mcs);
	mce_retire();
}

/*
 * What a signal costs, next to what the error costs, and to an error that the
 * kernel fixes up by itself: process_vm_readv() of the same bad address.
 */
static __u64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

static int less(const void *a, const void *b)
{
	return *(const __u64 *)a < *(const __u64 *)b ? -1 : *(const __u64 *)a > *(const __u64 *)b;
}

TEST(cost)
{
	enum { TIMES = 21 };
	__u64 first[TIMES], again[TIMES], kernel[TIMES];
	struct iovec to, from;
	struct mce_watch w;
	__u8 buf[64], *map;
	__u64 start;
	int i;

	ASSERT_EQ(0, mce_pin(0));
	ASSERT_EQ(0, mc_init(0));
	map = fresh(TIMES);
	ASSERT_NE(NULL, map);
	for (i = 0; i < TIMES; i++)
		ASSERT_EQ(0, mce_arm(map + i * MCE_PAGE, NULL));
	mce_watch_start(&w);
	for (i = 0; i < TIMES; i++) {
		start = now_ns();
		EXPECT_EQ(64, mc_memcpy(buf, map + i * MCE_PAGE, 64));
		first[i] = now_ns() - start;
		start = now_ns();
		EXPECT_EQ(64, mc_memcpy(buf, map + i * MCE_PAGE, 64));
		again[i] = now_ns() - start;
		to.iov_base = buf;
		from.iov_base = map + i * MCE_PAGE;
		to.iov_len = from.iov_len = 64;
		start = now_ns();
		EXPECT_EQ(-1, process_vm_readv(getpid(), &to, 1, &from, 1, 0));
		kernel[i] = now_ns() - start;
	}
	mce_watch_end(&w, TIMES);
	EXPECT_EQ(TIMES, w.mcs);
	qsort(first, TIMES, sizeof(*first), less);
	qsort(again, TIMES, sizeof(*again), less);
	qsort(kernel, TIMES, sizeof(*kernel), less);
	mce_outcome("first copy %llu us, again %llu us, by the kernel %llu us",
		    first[TIMES / 2] / 1000, again[TIMES / 2] / 1000, kernel[TIMES / 2] / 1000);
	mce_retire();
}

/* Who does nothing about it ends as he would have without the library. */
static void die(__u8 *addr, bool with)
{
	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	if (with)
		mc_init(0);
	raise(SIGSTOP);
	*(volatile __u8 *)addr;
	_exit(0);
}

static int death_of(__u8 *addr, bool with, siginfo_t *info)
{
	int status, sig;
	pid_t pid;

	memset(info, 0, sizeof(*info));
	pid = fork();
	if (!pid)
		die(addr, with);
	while (waitpid(pid, &status, 0) == pid && WIFSTOPPED(status)) {
		sig = WSTOPSIG(status);
		if (sig == SIGBUS)
			ptrace(PTRACE_GETSIGINFO, pid, NULL, info);
		ptrace(PTRACE_CONT, pid, NULL, (void *)(long)(sig == SIGSTOP ? 0 : sig));
	}
	return status;
}

TEST(nobody_cares)
{
	siginfo_t info[2];
	int i, status[2];
	__u8 *map;

	ASSERT_EQ(0, mce_pin(0));
	for (i = 0; i < 2; i++) {
		map = mmap(NULL, MCE_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		ASSERT_NE(MAP_FAILED, map);
		map[0] = 1;
		ASSERT_EQ(0, mce_arm(map, NULL));
		status[i] = death_of(map, i, &info[i]);
		EXPECT_TRUE(WIFSIGNALED(status[i]));
		EXPECT_EQ(SIGBUS, WTERMSIG(status[i]));
		EXPECT_EQ(BUS_MCEERR_AR, info[i].si_code);
		EXPECT_EQ(12, info[i].si_addr_lsb);
		EXPECT_EQ((unsigned long)map, (unsigned long)info[i].si_addr);
	}
	mce_outcome("%s, as without the library", mce_codename(info[1].si_code));
	mce_retire();
}

/* Bad, and not touched. */
static int advised(const struct mc_fault *f, void *arg)
{
	struct mc_fault *to = arg;

	*to = *f;
	return MC_RETRY;
}

TEST(advice)
{
	struct mc_fault f = { 0 };
	__u8 *map = fresh(1);
	char text[32];
	__u64 phys;
	int i;

	ASSERT_NE(NULL, map);
	ASSERT_EQ(0, mc_init(0));
	ASSERT_EQ(0, mc_advice(advised, &f));
	ASSERT_EQ(0, prctl(PR_MCE_KILL, PR_MCE_KILL_SET, PR_MCE_KILL_EARLY, 0, 0));
	ASSERT_EQ(0, mce_phys(map, &phys));
	snprintf(text, sizeof(text), "0x%llx", (unsigned long long)phys);
	mce_put("/sys/devices/system/memory/hard_offline_page", text);
	for (i = 0; i < 300 && !__atomic_load_n(&f.kind, __ATOMIC_SEQ_CST); i++)
		usleep(10000);
	mce_outcome("advice %s", f.kind == MC_ADVICE ? "came" : "MISSING");
	EXPECT_EQ(MC_ADVICE, f.kind);
	EXPECT_EQ(BUS_MCEERR_AO, f.code);
	EXPECT_TRUE(fault_covers(&f, map));
	EXPECT_EQ(8, mc_memcpy(text, map, 8));
	ASSERT_EQ(0, mc_last(&f));
	EXPECT_EQ(MC_ERROR, f.kind);
}

/* The samples: a store under load, with 1,000 bad lines. */
FIXTURE(store)
{
	char path[PATH_MAX];
};

FIXTURE_VARIANT(store)
{
	unsigned long fs;
	size_t lines;
};

FIXTURE_VARIANT_ADD(store, tmpfs)
{
	.fs = MCE_FS_TMPFS,
	.lines = 1000,
};

/* QEMU's disks stop for ever if there are more than 64 in what they write at once. */
FIXTURE_VARIANT_ADD(store, ext4)
{
	.fs = MCE_FS_EXT4,
	.lines = 48,
};

FIXTURE_SETUP(store)
{
	char dir[PATH_MAX - 64];

	if (!mce_dir_on(variant->fs, dir, sizeof(dir)))
		SKIP(return, "no directory on that file system");
	snprintf(self->path, sizeof(self->path), "%s/mcstore-%d", dir, getpid());
}

FIXTURE_TEARDOWN(store)
{
	mce_retire();
	unlink(self->path);
}

/* MCE_LINES in the environment: another number of them. */
TEST_F_TIMEOUT(store, under_load, 240)
{
	const char *env = getenv("MCE_LINES");
	const size_t LINES = env ? strtoul(env, NULL, 0) : variant->lines, RECORDS = 4 * LINES;
	static struct load l = { .quiet = true };
	unsigned long armed = 0, others = 0, twice = 0;
	struct mce_watch w;
	size_t i;

	ASSERT_EQ(0, load_start(&l, self->path, RECORDS, 4));
	mce_watch_start(&w);
	for (i = 0; i < LINES; i++) {
		/* Each in another place of its record. */
		armed += !mce_arm((__u8 *)&l.s.map[i * 4] + i * 64 % MCE_PAGE, NULL);
		if (i % 64 == 0)
			usleep(10000);
	}
	EXPECT_EQ(0, load_end(&l));
	mce_watch_end(&w, l.lost);
	for (i = 0; i < RECORDS; i++) {
		others += i % 4 ? l.reports[i] : 0;
		twice += l.reports[i] > 1;
	}
	mce_outcome("%lu gets, %lu puts, %lu lines armed, %lu records lost, %ld #MC", l.gets, l.puts,
		    armed, l.lost, w.mcs);
	EXPECT_EQ(LINES, armed);
	EXPECT_EQ(0, others);
	EXPECT_EQ(0, twice);
	EXPECT_GT(l.lost, LINES / 2);
	EXPECT_LE(l.lost, w.mcs);
	/* What is written back while it is bad is met by the kernel as well. */
	EXPECT_LE(w.mcs, (variant->fs == MCE_FS_TMPFS ? 1 : 2) * LINES + 10);
	EXPECT_STREQ("", w.log);
	store_close(&l.s);
}

TEST(grep)
{
	char *out = NULL, *err = NULL, dir[PATH_MAX - 64], path[PATH_MAX];
	struct grep g = { .name = "f" };
	struct mce_watch w;
	size_t n, i;
	char *map;

	if (!mce_dir_on(MCE_FS_TMPFS, dir, sizeof(dir)))
		SKIP(return, "no directory on tmpfs");
	snprintf(path, sizeof(path), "%s/mcgrep-%d", dir, getpid());
	g.fd = open(path, O_RDWR | O_CREAT, 0600);
	ASSERT_GE(g.fd, 0);
	unlink(path);
	ASSERT_EQ(0, ftruncate(g.fd, 40 * MCE_PAGE));
	map = mmap(NULL, 40 * MCE_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, g.fd, 0);
	ASSERT_NE(MAP_FAILED, map);
	for (i = 0; i < 40 * 64; i++) {
		memset(map + i * 64, ' ', 63);
		memcpy(map + i * 64, "line ", 5);
		map[i * 64 + 5] = '0' + i / 64 / 10;
		map[i * 64 + 6] = '0' + i / 64 % 10;
		map[i * 64 + 63] = '\n';
	}
	ASSERT_EQ(0, mce_pin(0));
	ASSERT_EQ(0, mc_init(0));
	g.out = open_memstream(&out, &n);
	g.err = open_memstream(&err, &n);
	ASSERT_EQ(0, regcomp(&g.regex, "^line", REG_EXTENDED));
	/* It opens its file by itself. */
	EXPECT_EQ(-ENOENT, grep_file(&g, "/no/such/file", false));
	g.name = "f";
	ASSERT_EQ(0, mce_arm(map + 7 * MCE_PAGE + 640, NULL));
	ASSERT_EQ(0, mce_arm(map + 20 * MCE_PAGE, NULL));
	ASSERT_EQ(0, ftruncate(g.fd, 30 * MCE_PAGE));
	mce_watch_start(&w);
	EXPECT_EQ(0, grep_map(&g, map, 40 * MCE_PAGE));
	mce_watch_end(&w, 2);
	fclose(g.out);
	fclose(g.err);
	mce_outcome("%lu lines, %lu holes, %ld #MC", g.matches, g.holes, w.mcs);
	EXPECT_EQ(2, w.mcs);
	EXPECT_EQ(3, g.holes);
	/* All lines of 28 pages, and ten in front of a bad one. */
	EXPECT_EQ(28 * 64 + 10, g.matches);
	EXPECT_NE(NULL, strstr(err, "f: 3456 bytes at 29312 are lost: memory error\n"));
	EXPECT_NE(NULL, strstr(err, "f: 4096 bytes at 81920 are lost: memory error\n"));
	EXPECT_NE(NULL, strstr(err, "f: ends at 122880 now, not at 163840\n"));
	mce_retire();
}

/* A guest hears of its memory, and goes on. */
TEST(vmm)
{
	int memory = memfd_create("guest", MFD_CLOEXEC), err, i;
	struct mce_watch w;
	struct vm vm;

	ASSERT_EQ(0, ftruncate(memory, GUEST_PAGES * MCE_PAGE));
	ASSERT_EQ(0, mce_pin(0));
	ASSERT_EQ(0, mc_init(0));
	err = vm_create(&vm, memory);
	if (err)
		SKIP(return, "no virtual machines here: %s", strerror(-err));
	for (i = 0; i < DATA_PAGES; i++)
		vm.mem[DATA + i * MCE_PAGE] = 100 + i;
	ASSERT_EQ(0, mce_arm(vm.mem + DATA + 5 * MCE_PAGE, NULL));
	ASSERT_EQ(0, mce_arm(vm.mem + DATA + 9 * MCE_PAGE, NULL));
	mce_watch_start(&w);
	EXPECT_EQ(0, vm_loop(&vm));
	mce_watch_end(&w, 2);
	mce_outcome("guest: %d loads, %d machine checks; host: %ld #MC", vm.loaded, vm.mcs, w.mcs);
	EXPECT_EQ(14, vm.loaded);
	EXPECT_EQ(2, vm.mcs);
	EXPECT_EQ(DATA + 5 * MCE_PAGE, vm.mc_addr[0]);
	EXPECT_EQ(DATA + 9 * MCE_PAGE, vm.mc_addr[1]);
	EXPECT_EQ(2, w.mcs);
	EXPECT_EQ(2, w.offlined);
	vm_destroy(&vm);
	mce_retire();
}

#include "mce_main.h"
