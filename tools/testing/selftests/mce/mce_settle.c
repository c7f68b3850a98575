// SPDX-License-Identifier: GPL-2.0
/*
 * Settling does no harm: it cannot deadlock, waits for nobody for long, and every
 * loop ends.
 *
 * What is tried runs in a child, and the test looks at the clock: where a child
 * hangs, the case fails, and the machine goes on.
 */
#define _GNU_SOURCE
#include <linux/aio_abi.h>
#include <linux/io_uring.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>

#include "../kselftest_harness.h"
#include "mce_consumed.h"
#include "mce_fuse.h"

#define SEED	0x5e77
#define HUGE	(2UL << 20)
#define FILTER	"/sys/kernel/debug/hwpoison/corrupt-filter-"

FIXTURE(settle)
{
};

FIXTURE_SETUP(settle)
{
}

FIXTURE_TEARDOWN(settle)
{
}

static long ms_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void ms_sleep(long ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&t, NULL);
}

/* The exit status of a child, or -1: it was killed, -2: it does not end. */
static int ends(pid_t pid, long ms)
{
	long until = ms_now() + ms;
	int status;

	while (waitpid(pid, &status, WNOHANG) != pid) {
		if (ms_now() > until) {
			kill(pid, SIGKILL);
			return -2;
		}
		ms_sleep(20);
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static bool refuse(bool on)
{
	return !mce_put(FILTER "flags-mask", on ? "0xffffffffffffffff" : "0") &&
	       !mce_put(FILTER "flags-value", on ? "0xffffffffffffffff" : "0") &&
	       !mce_put(FILTER "enable", on ? "1" : "0");
}

/*
 * One page of a file, and threads that load it, store to a private mapping of
 * it, and change what is mapped, all in one address space.
 */
#define LOADERS	4
#define ROUNDS	12

static struct {
	__u8 *shared[LOADERS];
	__u8 *private;
	__u8 *other;
	pthread_barrier_t start;
	int stop;
} mess;

/* A thread that gets SIGBUS ends, and the others go on. */
static void ends_thread(int sig)
{
	(void)sig;
	__atomic_add_fetch(&mce_signals, 1, __ATOMIC_SEQ_CST);
	syscall(SYS_exit, 0);
}

static void *loads(void *arg)
{
	__u8 *at = arg;

	pthread_barrier_wait(&mess.start);
	__atomic_load_n(at + 1024, __ATOMIC_RELAXED);
	return NULL;
}

static void *stores(void *arg)
{
	pthread_barrier_wait(&mess.start);
	__atomic_store_n((__u8 *)arg, 1, __ATOMIC_RELAXED);
	return NULL;
}

static void *protects(void *arg)
{
	pthread_barrier_wait(&mess.start);
	while (!__atomic_load_n(&mess.stop, __ATOMIC_RELAXED)) {
		mprotect(arg, MCE_PAGE, PROT_READ);
		mprotect(arg, MCE_PAGE, PROT_READ | PROT_WRITE);
	}
	return NULL;
}

static int one_round(const struct mce_file *f)
{
	pthread_t t[LOADERS + 1], protector;
	int i;

	mess.stop = 0;
	mess.other = mmap(NULL, MCE_PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	mess.private = mmap(NULL, MCE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, f->fd, 0);
	for (i = 0; i < LOADERS; i++) {
		mess.shared[i] = mmap(NULL, MCE_PAGE, PROT_READ, MAP_SHARED, f->fd, 0);
		if (mess.shared[i] == MAP_FAILED ||
		    madvise(mess.shared[i], MCE_PAGE, MADV_POPULATE_READ))
			return 1;
	}
	if (mce_arm_file(f->fd, 1024, NULL))
		return 2;
	pthread_barrier_init(&mess.start, NULL, LOADERS + 2);
	for (i = 0; i < LOADERS; i++)
		pthread_create(&t[i], NULL, loads, mess.shared[i]);
	pthread_create(&t[LOADERS], NULL, stores, mess.private + 8);
	pthread_create(&protector, NULL, protects, mess.other);
	for (i = 0; i <= LOADERS; i++)
		pthread_join(t[i], NULL);
	__atomic_store_n(&mess.stop, 1, __ATOMIC_RELAXED);
	pthread_join(protector, NULL);
	if (mce_differs(mess.shared[0], MCE_PAGE, SEED, 0) >= 0)
		return 3;
	if (mce_differs(mess.private + 512, MCE_PAGE - 512, SEED, 512) >= 0)
		return 4;
	for (i = 0; i < LOADERS; i++)
		munmap(mess.shared[i], MCE_PAGE);
	munmap(mess.private, MCE_PAGE);
	munmap(mess.other, MCE_PAGE);
	return 0;
}

TEST_F_TIMEOUT(settle, store_while_others_load, 120)
{
	struct mce_watch w;
	struct mce_file f;
	int i, err;
	pid_t pid;

	ASSERT_EQ(0, mce_file_open(&f, MCE_FS_EXT4, 1, 1, SEED));
	mce_watch_start(&w);
	pid = fork();
	if (!pid) {
		signal(SIGBUS, ends_thread);
		for (i = 0, err = 0; i < ROUNDS && !err; i++)
			err = one_round(&f);
		_exit(err ? err : mce_signals ? 5 : 0);
	}
	err = ends(pid, 60000);
	mce_watch_end(&w, ROUNDS);
	mce_outcome("%d rounds: %s, %ld #MC", ROUNDS, err == -2 ? "HANGS" :
		    err == 5 ? "SIGBUS" : err ? "WRONG data" : "the right data", w.mcs);
	EXPECT_EQ(0, err);
	EXPECT_GE(w.offlined, ROUNDS);
	mce_retire();
	mce_file_close(&f);
}

/*
 * A FUSE server that does not answer: a store waits for it with the page
 * locked, and memory_failure() waits for that.
 */
#define CROWD	300

struct hostage {
	struct fuse_mount m;
	int *held;
	__u8 *map;
	int fd;
	pid_t storer, failing;
};

static int hostage_take(struct hostage *h)
{
	memset(h, 0, sizeof(*h));
	h->held = mmap(NULL, MCE_PAGE, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	h->m.hold_write = h->held;
	if (fuse_start(&h->m))
		return -1;
	h->fd = open(h->m.path, O_RDWR | O_CLOEXEC);
	if (pwrite(h->fd, "x", 1, MCE_PAGE - 1) != 1)
		return -2;
	h->map = mmap(NULL, MCE_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, h->fd, 0);
	h->map[0] = 1;
	__atomic_store_n(h->held, 1, __ATOMIC_SEQ_CST);
	if (sync_file_range(h->fd, 0, MCE_PAGE, SYNC_FILE_RANGE_WRITE))
		return -3;
	h->storer = fork();
	if (!h->storer) {
		h->map[1] = 2;
		_exit(0);
	}
	ms_sleep(300);
	h->failing = fork();
	if (!h->failing)
		_exit(!!madvise(h->map, MCE_PAGE, MADV_HWPOISON));
	ms_sleep(300);
	return waitpid(h->failing, NULL, WNOHANG) ? -4 : 0;
}

static int hostage_free(struct hostage *h)
{
	int ret;

	__atomic_store_n(h->held, 0, __ATOMIC_SEQ_CST);
	/* How soon that is on a busy machine is no part of it. */
	ret = ends(h->storer, 60000) == -2;
	ret |= ends(h->failing, 60000) == -2;
	munmap(h->map, MCE_PAGE);
	close(h->fd);
	fuse_stop(&h->m);
	return ret;
}

static void *meets(void *bad)
{
	int p[2];

	if (!pipe(p)) {
		if (write(p[1], bad, MCE_PAGE) > 1024)
			_exit(3);
		close(p[0]);
		close(p[1]);
	}
	return NULL;
}

static int by_ms(const void *a, const void *b)
{
	return *(const long *)a - *(const long *)b;
}

/* The other one of hostage_take() waits to have the page mapped. */
static void *fail_mapped(void *addr)
{
	madvise(addr, MCE_PAGE, MADV_HWPOISON);
	return NULL;
}

/*
 * Who met the error gives the page back before memory_failure() comes to it. The
 * next one to want a page, who would be killed for it, gets another.
 */
TEST_F_TIMEOUT(settle, freed_before_settled, 120)
{
	const size_t many = 32768;
	struct hostage h;
	__u64 bad, phys;
	size_t i, found = 0;
	pthread_t t;
	__u8 *map;
	int p[2];

	ASSERT_EQ(0, mce_pin(0));
	ASSERT_EQ(0, pipe(p));
	i = hostage_take(&h);
	if ((int)i == -1)
		SKIP(return, "no FUSE");
	ASSERT_EQ(0, (int)i);
	ASSERT_EQ(0, pthread_create(&t, NULL, fail_mapped, h.map));
	ms_sleep(300);
	/* The last ones may be on their way to the LRU lists. */
	map = mce_anon(64, SEED);
	ASSERT_EQ(0, mce_arm(map + 1024, &bad));
	EXPECT_GT((ssize_t)MCE_PAGE, write(p[1], map, MCE_PAGE));
	EXPECT_EQ(0, munmap(map, 64 * MCE_PAGE));
	map = mmap(NULL, many * MCE_PAGE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, map);
	ASSERT_EQ(0, madvise(map, many * MCE_PAGE, MADV_NOHUGEPAGE));
	for (i = 0; i < many; i++) {
		map[i * MCE_PAGE] = 1;
		ASSERT_EQ(0, mce_phys(map + i * MCE_PAGE, &phys));
		found += phys / MCE_PAGE == bad / MCE_PAGE;
	}
	mce_outcome("the bad page is given out %zu times", found);
	EXPECT_EQ(0, found);
	munmap(map, many * MCE_PAGE);
	EXPECT_EQ(0, hostage_free(&h));
	pthread_join(t, NULL);
	/* A worker is next. */
	for (i = 0; i < 50 && !mce_page_offlined(bad); i++)
		ms_sleep(100);
	EXPECT_TRUE(mce_page_offlined(bad));
}

TEST_F_TIMEOUT(settle, nobody_waits_for_a_hostage, 300)
{
	const int n = 5;
	struct mce_watch w;
	struct mce_file f;
	struct hostage h;
	long ms[n], mcs = 0;
	__u8 *bad;
	pid_t crowd, reader[n];
	struct pollfd answer = { .events = POLLIN };
	int i, j, p[2];

	ASSERT_EQ(0, mce_pin(0));
	ASSERT_EQ(0, mce_file_open(&f, MCE_FS_EXT4, n, 1, SEED));
	bad = mce_anon(1, SEED);
	ASSERT_EQ(0, pipe(p));
	answer.fd = p[0];
	i = hostage_take(&h);
	if (i == -1)
		SKIP(return, "no FUSE");
	ASSERT_EQ(0, i);
	ASSERT_EQ(0, mce_arm(bad + 1024, NULL));
	crowd = fork();
	if (!crowd) {
		pthread_attr_t attr;
		pthread_t t[CROWD];

		pthread_attr_init(&attr);
		pthread_attr_setstacksize(&attr, 65536);
		for (i = 0; i < CROWD; i++)
			pthread_create(&t[i], &attr, meets, bad);
		for (i = 0; i < CROWD; i++)
			pthread_join(t[i], NULL);
		_exit(0);
	}
	ms_sleep(3000);
	for (i = 0; i < n; i++) {
		ASSERT_EQ(0, mce_arm_file(f.fd, i * MCE_PAGE + 1024, NULL));
		mce_watch_start(&w);
		reader[i] = fork();
		if (!reader[i]) {
			long t = ms_now();

			if (pread(f.fd, f.buf, MCE_PAGE, i * MCE_PAGE) != MCE_PAGE ||
			    mce_differs(f.buf, MCE_PAGE, SEED, i * MCE_PAGE) >= 0)
				_exit(1);
			t = ms_now() - t;
			write(p[1], &t, sizeof(t));
			_exit(0);
		}
		/* Its end is no part of it: FUSE has that wait for the server. */
		j = poll(&answer, 1, 8000);
		EXPECT_EQ(1, j);
		if (j != 1)
			break;
		read(p[0], &ms[i], sizeof(ms[i]));
		mce_watch_end(&w, 1);
		mcs = mcs > w.mcs ? mcs : w.mcs;
	}
	EXPECT_EQ(0, hostage_free(&h));
	/* Whoever asked for the page has got an answer. */
	EXPECT_EQ(0, ends(crowd, 60000));
	for (j = 0; j < i; j++)
		EXPECT_EQ(0, ends(reader[j], 60000));
	for (; i < n; i++)
		ms[i] = 8000;
	qsort(ms, n, sizeof(*ms), by_ms);
	mce_outcome("healing read beside a hostage: %ld ms, %ld ms at most, %ld #MC",
		    ms[n / 2], ms[n - 1], mcs);
	EXPECT_LE(ms[n / 2], 100);
	EXPECT_EQ(1, mcs);
	mce_retire();
	mce_file_close(&f);
	munmap(bad, MCE_PAGE);
}

/* More bad pages in one call than anybody can have records of. */
#define MANY	300

TEST_F_TIMEOUT(settle, many_pages_in_one_read, 180)
{
	struct mce_watch w;
	struct mce_file f;
	int i, err;
	pid_t pid;

	ASSERT_EQ(0, mce_pin(0));
	ASSERT_EQ(0, mce_file_open(&f, MCE_FS_EXT4, MANY, 1, SEED));
	for (i = 0; i < MANY; i++)
		ASSERT_EQ(0, mce_arm_file(f.fd, i * MCE_PAGE + 64, NULL));
	mce_watch_start(&w);
	pid = fork();
	if (!pid) {
		if (pread(f.fd, f.buf, MANY * MCE_PAGE, 0) != (ssize_t)(MANY * MCE_PAGE))
			_exit(1);
		_exit(mce_differs(f.buf, MANY * MCE_PAGE, SEED, 0) >= 0 ? 2 : 0);
	}
	err = ends(pid, 90000);
	mce_watch_end(&w, MANY);
	mce_outcome("pread of %d bad pages: %s, %ld #MC", MANY,
		    err == -2 ? "HANGS" : err ? "fails" : "the right data", w.mcs);
	EXPECT_EQ(0, err);
	EXPECT_EQ(MANY, w.mcs);
	EXPECT_EQ(MANY, w.offlined);
	mce_retire();
	mce_file_close(&f);
}

/*
 * A page that cannot be taken away: part of a huge page that a pipe holds.
 */
FIXTURE(held)
{
	__u8 *area, *huge;
	int p[2];
};

FIXTURE_SETUP(held)
{
	struct iovec iov;
	unsigned long i;
	__u64 a, b;

	self->area = mmap(NULL, 2 * HUGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->area);
	self->huge = (__u8 *)(((unsigned long)self->area + HUGE - 1) & ~(HUGE - 1));
	madvise(self->huge, HUGE, MADV_HUGEPAGE);
	for (i = 0; i < HUGE; i += MCE_PAGE)
		self->huge[i] = 1;
	ASSERT_EQ(0, mce_phys(self->huge, &a));
	ASSERT_EQ(0, mce_phys(self->huge + HUGE - 1, &b));
	if (b - a != HUGE - 1)
		SKIP(return, "got no huge page");
	ASSERT_EQ(0, pipe(self->p));
	iov = (struct iovec){ self->huge + 8 * MCE_PAGE, MCE_PAGE };
	ASSERT_EQ((ssize_t)MCE_PAGE, vmsplice(self->p[1], &iov, 1, 0));
	ASSERT_EQ(0, mce_pin(0));
}

FIXTURE_TEARDOWN(held)
{
	close(self->p[0]);
	close(self->p[1]);
	mce_retire();
	munmap(self->area, 2 * HUGE);
}

/* A call meets no page more often than this before it is over. */
#define BOUND	130

static int submit_all(__u8 *bad, unsigned int n)
{
	struct iocb *iocb = calloc(n, sizeof(*iocb)), **list = calloc(n, sizeof(*list));
	aio_context_t ctx = 0;
	unsigned int i;
	int p[2];
	long ret;

	if (pipe(p) || syscall(SYS_io_setup, n, &ctx))
		return 1;
	for (i = 0; i < n; i++) {
		iocb[i].aio_lio_opcode = IOCB_CMD_PWRITE;
		iocb[i].aio_fildes = p[1];
		iocb[i].aio_buf = (unsigned long)bad;
		iocb[i].aio_nbytes = 64;
		list[i] = &iocb[i];
	}
	ret = syscall(SYS_io_submit, ctx, n, list);
	return ret > 0 ? 0 : 2;
}

static int enter_all(__u8 *bad, unsigned int n)
{
	struct io_uring_params par = { 0 };
	struct io_uring_sqe *sqe;
	unsigned int i, *array, *tail;
	int fd, p[2];
	char *sq;

	if (pipe(p))
		return 1;
	fd = syscall(__NR_io_uring_setup, n, &par);
	if (fd < 0)
		return 1;
	sq = mmap(NULL, par.sq_off.array + par.sq_entries * sizeof(unsigned int),
		  PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd,
		  IORING_OFF_SQ_RING);
	sqe = mmap(NULL, par.sq_entries * sizeof(*sqe), PROT_READ | PROT_WRITE,
		   MAP_SHARED | MAP_POPULATE, fd, IORING_OFF_SQES);
	array = (unsigned int *)(sq + par.sq_off.array);
	tail = (unsigned int *)(sq + par.sq_off.tail);
	for (i = 0; i < n; i++) {
		memset(&sqe[i], 0, sizeof(*sqe));
		sqe[i].opcode = IORING_OP_WRITE;
		sqe[i].fd = p[1];
		sqe[i].addr = (unsigned long)bad;
		sqe[i].len = 64;
		array[i] = i;
	}
	__atomic_store_n(tail, n, __ATOMIC_RELEASE);
	return syscall(__NR_io_uring_enter, fd, n, 0, 0, NULL, 0) > 0 ? 0 : 2;
}

static void batch_ends(struct __test_metadata *const _metadata, const char *what,
		       __u8 *bad, int (*call)(__u8 *bad, unsigned int n), unsigned int n)
{
	struct mce_watch w;
	pid_t pid;
	int err;

	ASSERT_EQ(0, mce_arm(bad + 16, NULL));
	mce_watch_start(&w);
	pid = fork();
	if (!pid) {
		/* The child has the same page, as nobody writes to it. */
		_exit(call(bad, n));
	}
	err = ends(pid, 60000);
	mce_watch_end(&w, 0);
	mce_outcome("%s of %u: %s, %ld #MC", what, n, err == -2 ? "HANGS" :
		    err == -1 ? "killed" : "ends", w.mcs);
	EXPECT_TRUE(err == 0 || err == -1);
	EXPECT_GE(w.mcs, 1);
	EXPECT_LE(w.mcs, BOUND);
}

TEST_F_TIMEOUT(held, io_submit, 120)
{
	mce_put("/proc/sys/fs/aio-max-nr", "1000000");
	batch_ends(_metadata, "io_submit", self->huge + 3 * MCE_PAGE,
		   submit_all, 4096);
}

TEST_F_TIMEOUT(held, io_uring, 120)
{
	batch_ends(_metadata, "io_uring_enter", self->huge + 4 * MCE_PAGE, enter_all, 4096);
}

/* It is known to be bad from the first time on. */
TEST_F_TIMEOUT(held, process_vm_readv, 60)
{
	__u8 *bad = self->huge + 5 * MCE_PAGE, to[64];
	struct iovec local = { to, sizeof(to) }, remote = { bad, sizeof(to) };
	long mcs[2], ret[2];
	struct mce_watch w;
	int i;

	ASSERT_EQ(0, mce_arm(bad + 16, NULL));
	for (i = 0; i < 2; i++) {
		mce_watch_start(&w);
		ret[i] = process_vm_readv(getpid(), &local, 1, &remote, 1, 0);
		mce_watch_end(&w, 0);
		mcs[i] = w.mcs;
	}
	mce_outcome("process_vm_readv, twice: %ld, %ld, %ld and %ld #MC", ret[0], ret[1],
		    mcs[0], mcs[1]);
	EXPECT_EQ(-1, ret[0]);
	EXPECT_EQ(-1, ret[1]);
	EXPECT_EQ(1, mcs[0]);
	EXPECT_LE(mcs[1], 1);
}

/*
 * Who meets such a page all the time is made to do it slowly: 21 turns a second,
 * at 250 Hz. In the first one the kernel tries once more, as it cannot know yet
 * that the page stays.
 */
#define PER_SECOND	22

static void at_what_pace(struct __test_metadata *const _metadata, const char *what,
			 void (*meet)(__u8 *bad), __u8 *bad)
{
	struct mce_watch w;
	long t;
	pid_t pid;

	ASSERT_EQ(0, mce_arm(bad + 16, NULL));
	mce_watch_start(&w);
	t = ms_now();
	pid = fork();
	if (!pid) {
		while (ms_now() - t < 2000)
			meet(bad);
		_exit(0);
	}
	EXPECT_EQ(0, ends(pid, 20000));
	t = ms_now() - t;
	mce_watch_end(&w, 0);
	mce_outcome("%s: %ld #MC a second", what, w.mcs * 1000 / t);
	EXPECT_GE(w.mcs, 2);
	EXPECT_LE(w.mcs * 1000 / t, PER_SECOND);
}

static void writes(__u8 *bad)
{
	int fd = memfd_create("mce", 0);

	write(fd, bad, 64);
	close(fd);
}

static void loads_it(__u8 *bad)
{
	struct mce_sigbus sb;

	mce_load(bad + 16, NULL, &sb);
}

TEST_F_TIMEOUT(held, pace_of_writes, 60)
{
	at_what_pace(_metadata, "write, again and again", writes, self->huge + 6 * MCE_PAGE);
}

TEST_F_TIMEOUT(held, pace_of_loads, 60)
{
	at_what_pace(_metadata, "load, again and again", loads_it, self->huge + 7 * MCE_PAGE);
}

/* A clean page of a file that memory_failure() is made to refuse. */
TEST_F_TIMEOUT(settle, read_of_what_stays, 60)
{
	struct mce_watch w;
	struct mce_file f;
	pid_t pid;
	int err;

	ASSERT_EQ(0, mce_pin(0));
	ASSERT_EQ(0, mce_file_open(&f, MCE_FS_EXT4, 1, 1, SEED));
	ASSERT_EQ(0, mce_arm_file(f.fd, 1024, NULL));
	if (!refuse(true))
		SKIP(return, "needs CONFIG_HWPOISON_INJECT");
	mce_watch_start(&w);
	pid = fork();
	if (!pid)
		_exit(pread(f.fd, f.buf, MCE_PAGE, 0) < 0 && errno == EIO ? 0 : 1);
	err = ends(pid, 20000);
	mce_watch_end(&w, 0);
	refuse(false);
	mce_outcome("pread of a page that stays: %s, %ld #MC",
		    err == -2 ? "HANGS" : err ? "NO ERROR" : "-EIO", w.mcs);
	EXPECT_EQ(0, err);
	EXPECT_LE(w.mcs, 4);
	mce_retire();
	mce_file_close(&f);
}

#include "mce_main.h"
