// SPDX-License-Identifier: GPL-2.0
/*
 * Several requests in one system call: io_uring and io_submit(2), with poison
 * in the buffers of some or of all of them.
 *
 * A task takes a bad page out of service when it returns to user mode. That is
 * too late here: the next request would meet it again. Each bad page costs one
 * machine check, and each request has an answer of its own.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <linux/aio_abi.h>
#include <linux/io_uring.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>

#include "../kselftest_harness.h"
#include "mce_consumed.h"

#define SEED	0x2008
#define NREQ	8

/* Request i has page i, or all have page 0; its file is of a kind below. */
struct batch {
	__u8 *buf;
	int fd[NREQ];
	int reader[NREQ];
	bool pipes;
	long res[NREQ];
};

struct ring {
	int fd;
	unsigned int *sq_head, *sq_tail, *sq_flags, *sq_array, *cq_head, *cq_tail;
	struct io_uring_sqe *sqe;
	struct io_uring_cqe *cqe;
};

static void ring_find(struct ring *r, char *sq, char *cq,
		      const struct io_uring_params *par)
{
	r->sq_head = (unsigned int *)(sq + par->sq_off.head);
	r->sq_tail = (unsigned int *)(sq + par->sq_off.tail);
	r->sq_flags = (unsigned int *)(sq + par->sq_off.flags);
	r->sq_array = (unsigned int *)(sq + par->sq_off.array);
	r->cq_head = (unsigned int *)(cq + par->cq_off.head);
	r->cq_tail = (unsigned int *)(cq + par->cq_off.tail);
	r->cqe = (struct io_uring_cqe *)(cq + par->cq_off.cqes);
}

static bool ring_setup(struct ring *r, unsigned int flags)
{
	struct io_uring_params par = { .flags = flags, .sq_thread_idle = 1000 };
	char *sq, *cq;

	r->fd = syscall(__NR_io_uring_setup, 2 * NREQ, &par);
	if (r->fd < 0)
		return false;
	sq = mmap(NULL, par.sq_off.array + par.sq_entries * sizeof(unsigned int),
		  PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, r->fd,
		  IORING_OFF_SQ_RING);
	cq = mmap(NULL, par.cq_off.cqes + par.cq_entries * sizeof(*r->cqe),
		  PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, r->fd,
		  IORING_OFF_CQ_RING);
	r->sqe = mmap(NULL, par.sq_entries * sizeof(*r->sqe),
		      PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, r->fd,
		      IORING_OFF_SQES);
	if (sq == MAP_FAILED || cq == MAP_FAILED || r->sqe == MAP_FAILED)
		return false;
	ring_find(r, sq, cq, &par);
	return true;
}

/* All of the batch at once; results are in @b->res. */
static bool ring_run(struct ring *r, struct batch *b, int n, bool same, bool poll)
{
	struct timespec ms = { .tv_nsec = 1000000 };
	unsigned int flags = IORING_ENTER_GETEVENTS, head, got = 0;
	int i;

	for (i = 0; i < n; i++) {
		struct io_uring_sqe *sqe = &r->sqe[i];

		memset(sqe, 0, sizeof(*sqe));
		sqe->opcode = IORING_OP_WRITE;
		sqe->fd = b->fd[i];
		sqe->addr = (unsigned long)(b->buf + (same ? 0 : i * MCE_PAGE));
		sqe->len = MCE_PAGE;
		sqe->user_data = i;
		r->sq_array[i] = i;
	}
	__atomic_store_n(r->sq_tail, *r->sq_tail + n, __ATOMIC_RELEASE);
	if (poll) {
		if (__atomic_load_n(r->sq_flags, __ATOMIC_SEQ_CST) &
		    IORING_SQ_NEED_WAKEUP)
			syscall(__NR_io_uring_enter, r->fd, 0, 0,
				IORING_ENTER_SQ_WAKEUP, NULL, 0);
		for (i = 0; i < 5000; i++) {
			if (__atomic_load_n(r->cq_tail, __ATOMIC_ACQUIRE) -
			    *r->cq_head == (unsigned int)n)
				break;
			nanosleep(&ms, NULL);
		}
	} else if (syscall(__NR_io_uring_enter, r->fd, n, n, flags, NULL, 0) != n) {
		return false;
	}
	for (head = *r->cq_head;
	     head != __atomic_load_n(r->cq_tail, __ATOMIC_ACQUIRE); head++) {
		struct io_uring_cqe *cqe = &r->cqe[head & (4 * NREQ - 1)];

		b->res[cqe->user_data] = cqe->res;
		got++;
	}
	__atomic_store_n(r->cq_head, head, __ATOMIC_RELEASE);
	return got == (unsigned int)n;
}

static bool aio_run(struct batch *b, int n, bool same)
{
	struct iocb iocb[NREQ], *list[NREQ];
	struct io_event event[NREQ];
	aio_context_t ctx = 0;
	int i;

	if (syscall(__NR_io_setup, NREQ, &ctx))
		return false;
	for (i = 0; i < n; i++) {
		memset(&iocb[i], 0, sizeof(iocb[i]));
		iocb[i].aio_lio_opcode = IOCB_CMD_PWRITE;
		iocb[i].aio_fildes = b->fd[i];
		iocb[i].aio_buf = (unsigned long)(b->buf + (same ? 0 : i * MCE_PAGE));
		iocb[i].aio_nbytes = MCE_PAGE;
		iocb[i].aio_data = i;
		list[i] = &iocb[i];
	}
	if (syscall(__NR_io_submit, ctx, n, list) != n ||
	    syscall(__NR_io_getevents, ctx, n, n, event, NULL) != n)
		return false;
	for (i = 0; i < n; i++)
		b->res[event[i].data] = event[i].res;
	syscall(__NR_io_destroy, ctx);
	return true;
}

FIXTURE(batch)
{
	struct batch b;
	struct ring ring;
	char path[PATH_MAX];
};

enum how { URING, SQPOLL, AIO };

FIXTURE_VARIANT(batch)
{
	const char *what;
	enum how how;
	unsigned long fs;	/* 0 for pipes */
};

FIXTURE_VARIANT_ADD(batch, uring_pipe) { .what = "io_uring, pipes", .how = URING };
FIXTURE_VARIANT_ADD(batch, uring_tmpfs) {
	.what = "io_uring, tmpfs", .how = URING, .fs = MCE_FS_TMPFS,
};

FIXTURE_VARIANT_ADD(batch, uring_ext4) {
	.what = "io_uring, ext4", .how = URING, .fs = MCE_FS_EXT4,
};

FIXTURE_VARIANT_ADD(batch, uring_xfs) {
	.what = "io_uring, xfs", .how = URING, .fs = MCE_FS_XFS,
};

FIXTURE_VARIANT_ADD(batch, sqpoll_pipe) { .what = "SQPOLL, pipes", .how = SQPOLL };
FIXTURE_VARIANT_ADD(batch, sqpoll_ext4) {
	.what = "SQPOLL, ext4", .how = SQPOLL, .fs = MCE_FS_EXT4,
};

FIXTURE_VARIANT_ADD(batch, aio_tmpfs) {
	.what = "io_submit, tmpfs", .how = AIO, .fs = MCE_FS_TMPFS,
};

FIXTURE_VARIANT_ADD(batch, aio_ext4) {
	.what = "io_submit, ext4", .how = AIO, .fs = MCE_FS_EXT4,
};

FIXTURE_SETUP(batch)
{
	struct batch *b = &self->b;
	char dir[PATH_MAX - 64];
	int i, p[2];

	ASSERT_EQ(0, mce_pin(0));
	b->buf = mce_anon(NREQ, SEED);
	ASSERT_NE(NULL, b->buf);
	self->ring.fd = -1;
	b->pipes = !variant->fs;
	for (i = 0; i < NREQ; i++) {
		b->fd[i] = -1;
		b->res[i] = LONG_MIN;
	}
	if (variant->fs && !mce_dir_on(variant->fs, dir, sizeof(dir)))
		SKIP(return, "no directory on that file system");
	for (i = 0; i < NREQ; i++) {
		if (b->pipes) {
			ASSERT_EQ(0, pipe2(p, O_NONBLOCK));
			b->reader[i] = p[0];
			b->fd[i] = p[1];
			continue;
		}
		snprintf(self->path, sizeof(self->path), "%s/mce-batch-%d", dir,
			 getpid());
		b->fd[i] = open(self->path, O_RDWR | O_CREAT | O_TRUNC, 0600);
		ASSERT_GE(b->fd[i], 0);
		b->reader[i] = b->fd[i];
		unlink(self->path);
	}
	if (variant->how != AIO &&
	    !ring_setup(&self->ring, variant->how == SQPOLL ? IORING_SETUP_SQPOLL : 0))
		SKIP(return, "no io_uring");
}

FIXTURE_TEARDOWN(batch)
{
	int i;

	mce_retire();
	if (self->ring.fd >= 0)
		close(self->ring.fd);
	for (i = 0; i < NREQ; i++) {
		if (self->b.pipes)
			close(self->b.reader[i]);
		close(self->b.fd[i]);
	}
	munmap(self->b.buf, NREQ * MCE_PAGE);
}

static void run_batch(struct __test_metadata *const _metadata, struct batch *b,
		      struct ring *ring, enum how how, const char *what, int n,
		      bool same, unsigned int bad)
{
	int i, pages = __builtin_popcount(bad), signalled;
	__u8 got[MCE_PAGE];
	struct mce_watch w;
	__u64 phys[NREQ];
	ssize_t len;
	bool ok;

	for (i = 0; i < NREQ; i++)
		if (bad & 1U << i)
			ASSERT_EQ(0, mce_arm(b->buf + i * MCE_PAGE + 1024, &phys[i]));
	mce_watch_start(&w);
	if (how == AIO)
		ok = aio_run(b, n, same);
	else
		ok = ring_run(ring, b, n, same, how == SQPOLL);
	mce_watch_end(&w, pages);
	signalled = __atomic_load_n(&mce_signals, __ATOMIC_SEQ_CST);
	mce_outcome("%s: %d requests, %d bad pages: %ld #MC, first %ld, last %ld",
		    what, n, pages, w.mcs, b->res[0], b->res[n - 1]);
	EXPECT_TRUE(ok);
	if (same && n > 1 && !b->pipes && how != AIO) {
		/* Workers that run at the same time may meet it once each. */
		EXPECT_GE(w.mcs, 1);
		EXPECT_LE(w.mcs, n);
	} else {
		EXPECT_EQ(mce_expected("MCE_EXPECT_MCS", pages), w.mcs);
	}
	EXPECT_EQ(pages, w.offlined);
	EXPECT_STREQ("", w.log);
	EXPECT_EQ(0, signalled);

	for (i = 0; i < n; i++) {
		if (!same && !(bad & 1U << i)) {
			/* Nothing wrong with this one. */
			EXPECT_EQ((long)MCE_PAGE, b->res[i]);
		} else if (b->res[i] < 0) {
			EXPECT_EQ(-EFAULT, b->res[i]);
		} else {
			EXPECT_LE(b->res[i], 1024);
		}
		if (b->pipes)
			len = read(b->reader[i], got, sizeof(got));
		else
			len = pread(b->reader[i], got, sizeof(got), 0);
		if (b->res[i] > 0) {
			EXPECT_EQ(b->res[i], len);
			EXPECT_EQ(-1, mce_differs(got, len, SEED,
						  same ? 0 : i * MCE_PAGE));
		} else {
			EXPECT_LE(len, 0);
		}
	}
	for (i = 0; i < NREQ; i++) {
		if (!(bad & 1U << i))
			continue;
		EXPECT_TRUE(mce_page_offlined(phys[i]));
		mce_touch_lost(_metadata, b->buf + i * MCE_PAGE + 1024);
	}
}

TEST_F(batch, single)
{
	run_batch(_metadata, &self->b, &self->ring, variant->how, variant->what,
		  1, true, 0x01);
}

TEST_F(batch, eight_of_one_page)
{
	run_batch(_metadata, &self->b, &self->ring, variant->how, variant->what,
		  NREQ, true, 0x01);
}

TEST_F(batch, several_pages)
{
	run_batch(_metadata, &self->b, &self->ring, variant->how, variant->what,
		  NREQ, false, 0x56);
}

/* --- the queue itself --- */

/*
 * Three requests, the line @bad on the kernel's way to some of them. The first
 * of those answers -EFAULT and nothing else. It may have been linked to the next
 * one, which is cancelled; @done others are as always.
 */
static void bad_queue(struct __test_metadata *const _metadata, struct ring *r,
		      void *bad, const char *what, int done, long mcs)
{
	int i, failed = 0, cancelled = 0, good = 0;
	unsigned int head;
	struct mce_watch w;

	for (i = 0; i < 3; i++) {
		memset(&r->sqe[i], 0, sizeof(r->sqe[i]));
		r->sqe[i].opcode = IORING_OP_NOP;
		r->sqe[i].user_data = 100 + i;
		r->sq_array[i] = i;
	}
	ASSERT_EQ(0, mce_arm(bad, NULL));
	__atomic_store_n(r->sq_tail, *r->sq_tail + 3, __ATOMIC_RELEASE);
	mce_watch_start(&w);
	EXPECT_EQ(3, syscall(__NR_io_uring_enter, r->fd, 3, 3,
			     IORING_ENTER_GETEVENTS, NULL, 0));
	mce_watch_end(&w, mcs);
	for (head = *r->cq_head;
	     head != __atomic_load_n(r->cq_tail, __ATOMIC_ACQUIRE); head++) {
		struct io_uring_cqe *cqe = &r->cqe[head & (4 * NREQ - 1)];

		if (cqe->user_data >= 100 && cqe->user_data < 103 && !cqe->res)
			good++;
		else if (cqe->res == -ECANCELED)
			cancelled++;
		else if (!cqe->user_data && cqe->res == -EFAULT)
			failed++;
	}
	mce_outcome("%s: %d answers, %d -EFAULT, %d -ECANCELED, %ld #MC", what, good,
		    failed, cancelled, w.mcs);
	EXPECT_EQ(1, failed);
	EXPECT_EQ(2 - done, cancelled);
	EXPECT_EQ(done, good);
	EXPECT_EQ(mcs, w.mcs);
	mce_retire();
}

/* In memory of the kernel that is mapped to the program. */
TEST(bad_sqe)
{
	struct ring r;

	ASSERT_EQ(0, mce_pin(0));
	if (!ring_setup(&r, 0))
		SKIP(return, "no io_uring");
	bad_queue(_metadata, &r, &r.sqe[1], "submission queue entry", 1, 1);
	close(r.fd);
}

/* All three indices are in one line, and each is looked at. */
TEST(bad_sq_array)
{
	struct ring r;

	ASSERT_EQ(0, mce_pin(0));
	if (!ring_setup(&r, 0))
		SKIP(return, "no io_uring");
	bad_queue(_metadata, &r, r.sq_array, "index of entries", 0, 3);
	close(r.fd);
}

/* The data, and the record that says that it is there: that must not be alone. */
TEST(bad_link)
{
	static const char *const text[] = { "data", "it is there", "something else" };
	unsigned int head;
	struct mce_watch w;
	struct ring r;
	char got[64] = "";
	int i, p[2], res[3] = { 1, 1, 1 };

	ASSERT_EQ(0, mce_pin(0));
	if (!ring_setup(&r, 0))
		SKIP(return, "no io_uring");
	ASSERT_EQ(0, pipe2(p, O_NONBLOCK));
	for (i = 0; i < 3; i++) {
		memset(&r.sqe[i], 0, sizeof(r.sqe[i]));
		r.sqe[i].opcode = IORING_OP_WRITE;
		r.sqe[i].flags = i ? 0 : IOSQE_IO_LINK;
		r.sqe[i].fd = p[1];
		r.sqe[i].addr = (unsigned long)text[i];
		r.sqe[i].len = strlen(text[i]);
		r.sqe[i].user_data = i;
		r.sq_array[i] = i;
	}
	ASSERT_EQ(0, mce_arm(&r.sqe[0], NULL));
	__atomic_store_n(r.sq_tail, *r.sq_tail + 3, __ATOMIC_RELEASE);
	mce_watch_start(&w);
	EXPECT_EQ(3, syscall(__NR_io_uring_enter, r.fd, 3, 3,
			     IORING_ENTER_GETEVENTS, NULL, 0));
	mce_watch_end(&w, 1);
	for (head = *r.cq_head;
	     head != __atomic_load_n(r.cq_tail, __ATOMIC_ACQUIRE); head++)
		res[r.cqe[head & (4 * NREQ - 1)].user_data] =
			r.cqe[head & (4 * NREQ - 1)].res;
	mce_outcome("linked entries: %s, %s, %d, %ld #MC", mce_errname(-res[0]),
		    res[1] < 0 ? mce_errname(-res[1]) : "NO ERROR", res[2], w.mcs);
	EXPECT_EQ(-EFAULT, res[0]);
	EXPECT_EQ(-ECANCELED, res[1]);
	EXPECT_EQ((int)strlen(text[2]), res[2]);
	EXPECT_EQ((ssize_t)strlen(text[2]), read(p[0], got, sizeof(got) - 1));
	EXPECT_STREQ(text[2], got);
	EXPECT_EQ(1, w.mcs);
	close(p[0]);
	close(p[1]);
	close(r.fd);
	mce_retire();
}

#ifndef IORING_SETUP_NO_MMAP
#define IORING_SETUP_NO_MMAP	(1U << 14)
#endif

/* user_addr is the last member, and has another name in older headers. */
#define USER_ADDR(off)	(((__u64 *)(&(off) + 1))[-1])

/* In memory of the program: the page is lost, and the program hears of it. */
TEST(bad_sqe_of_program)
{
	struct io_uring_params par = { .flags = IORING_SETUP_NO_MMAP };
	struct ring r;
	char *rings;

	ASSERT_EQ(0, mce_pin(0));
	rings = (char *)mce_anon(1, SEED);
	r.sqe = (struct io_uring_sqe *)mce_anon(1, SEED);
	ASSERT_NE(NULL, rings);
	ASSERT_NE(NULL, r.sqe);
	memset(rings, 0, MCE_PAGE);
	USER_ADDR(par.cq_off) = (unsigned long)rings;
	USER_ADDR(par.sq_off) = (unsigned long)r.sqe;
	r.fd = syscall(__NR_io_uring_setup, 2 * NREQ, &par);
	if (r.fd < 0)
		SKIP(return, "no io_uring in a program's memory");
	ring_find(&r, rings, rings, &par);
	bad_queue(_metadata, &r, &r.sqe[2], "entry in the program's memory", 2, 1);
	EXPECT_STREQ("", mce_owner_hears(&r.sqe[2]));
	close(r.fd);
}

#ifndef IORING_RECVSEND_BUNDLE
#define IORING_RECVSEND_BUNDLE	(1U << 4)
#endif

/* A ring of buffers that the kernel may choose from, in the program's memory. */
static void bad_buffers(struct __test_metadata *const _metadata, int opcode,
			const char *what, int entry)
{
	struct io_uring_buf_reg reg = { .ring_entries = 16, .bgid = 1 };
	struct io_uring_buf_ring *br;
	struct mce_watch w;
	struct ring r;
	__u8 *data;
	int i, p[2];

	ASSERT_EQ(0, mce_pin(0));
	if (!ring_setup(&r, 0))
		SKIP(return, "no io_uring");
	br = (struct io_uring_buf_ring *)mce_anon(1, SEED);
	data = mce_anon(1, SEED);
	ASSERT_NE(NULL, br);
	ASSERT_NE(NULL, data);
	memset(br, 0, MCE_PAGE);
	for (i = 0; i < 16; i++) {
		br->bufs[i].addr = (unsigned long)data + i * 64;
		br->bufs[i].len = 64;
		br->bufs[i].bid = i;
	}
	br->tail = 16;
	reg.ring_addr = (unsigned long)br;
	if (syscall(__NR_io_uring_register, r.fd, IORING_REGISTER_PBUF_RING, &reg, 1))
		SKIP(return, "no rings of buffers");
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, p));
	ASSERT_EQ(1000, send(p[1], data, 1000, 0));

	ASSERT_EQ(0, mce_arm(&br->bufs[entry], NULL));
	mce_watch_start(&w);
	/* It is not asked a second time. */
	for (i = 0; i < 6; i++) {
		struct io_uring_cqe *cqe = &r.cqe[*r.cq_head & (4 * NREQ - 1)];

		memset(&r.sqe[0], 0, sizeof(r.sqe[0]));
		r.sqe[0].opcode = opcode;
		r.sqe[0].fd = p[0];
		r.sqe[0].flags = IOSQE_BUFFER_SELECT;
		r.sqe[0].buf_group = 1;
		if (entry) {
			r.sqe[0].ioprio = IORING_RECVSEND_BUNDLE;
			r.sqe[0].len = 1000;
		}
		r.sq_array[*r.sq_tail & (2 * NREQ - 1)] = 0;
		__atomic_store_n(r.sq_tail, *r.sq_tail + 1, __ATOMIC_RELEASE);
		ASSERT_EQ(1, syscall(__NR_io_uring_enter, r.fd, 1, 1,
				     IORING_ENTER_GETEVENTS, NULL, 0));
		if (entry && !i) {
			/* A bundle of those in front of it */
			EXPECT_EQ(entry * 64, cqe->res);
		} else {
			EXPECT_EQ(-ENOBUFS, cqe->res);
		}
		__atomic_store_n(r.cq_head, *r.cq_head + 1, __ATOMIC_RELEASE);
	}
	mce_watch_end(&w, 1);
	mce_outcome("%s: %ld #MC", what, w.mcs);
	EXPECT_EQ(1, w.mcs);
	EXPECT_EQ(1, w.offlined);
	EXPECT_STREQ("", w.log);
	EXPECT_STREQ("", mce_owner_hears(&br->bufs[entry]));
	close(p[0]);
	close(p[1]);
	close(r.fd);
	mce_retire();
}

TEST(bad_buffer_ring)
{
	bad_buffers(_metadata, IORING_OP_READ, "ring of buffers", 0);
}

/* All at once, of which the ninth to twelfth are in the bad line. */
TEST(bad_buffer_in_bundle)
{
	bad_buffers(_metadata, IORING_OP_RECV, "bundle of buffers", 8);
}

#include "mce_main.h"
