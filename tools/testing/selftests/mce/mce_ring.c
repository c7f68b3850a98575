// SPDX-License-Identifier: GPL-2.0
/*
 * Poison in a word that a program shares with the kernel: the head, the tail or
 * the flags of a ring.
 *
 * There is no request that could fail, so the ring ends. The program is told, the
 * kernel meets the error once, and does not look again.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/io_uring.h>
#include <linux/perf_event.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../kselftest_harness.h"
#include "mce_lib.h"

#ifndef IORING_SETUP_NO_MMAP
#define IORING_SETUP_NO_MMAP	(1U << 14)
#endif

#define ENTRIES		16
#define EVENTS		200		/* more than a page of them */
#define EVENTS_IN_PAGE	127		/* in the first one */
#define FRAMES		16
#define FRAME		2048
#define BLOCK		(FRAMES * FRAME)
#define RING_LEN	(4 * BLOCK)

static void nap(void)
{
	struct timespec t = { .tv_nsec = 200000000 };

	nanosleep(&t, NULL);
}

static int polled(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN | POLLOUT };

	return poll(&pfd, 1, 0) < 0 ? -errno : pfd.revents;
}

/* --- io_uring --- */

enum word { SQ_TAIL, CQ_HEAD, CQ_TAIL, FLAGS };

FIXTURE(uring)
{
	struct io_uring_params par;
	struct io_uring_sqe *sqe;
	char *sq, *cq;
	int fd;
};

FIXTURE_VARIANT(uring)
{
	const char *what;
	enum word word;
	unsigned int flags;
};

FIXTURE_VARIANT_ADD(uring, sq_tail) { .what = "tail of submissions", .word = SQ_TAIL };
FIXTURE_VARIANT_ADD(uring, cq_head) { .what = "head of completions", .word = CQ_HEAD };
FIXTURE_VARIANT_ADD(uring, cq_tail) { .what = "tail of completions", .word = CQ_TAIL };
FIXTURE_VARIANT_ADD(uring, flags) { .what = "flags", .word = FLAGS };
FIXTURE_VARIANT_ADD(uring, sqpoll) {
	.what = "tail, SQPOLL", .word = SQ_TAIL, .flags = IORING_SETUP_SQPOLL,
};

FIXTURE_VARIANT_ADD(uring, sqpoll_flags) {
	.what = "flags, SQPOLL", .word = FLAGS, .flags = IORING_SETUP_SQPOLL,
};

#define DEFER	(IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | \
		 IORING_SETUP_TASKRUN_FLAG)

FIXTURE_VARIANT_ADD(uring, defer) {
	.what = "head of completions, DEFER_TASKRUN", .word = CQ_HEAD, .flags = DEFER,
};

/* Memory of the program, which the kernel has pinned */
FIXTURE_VARIANT_ADD(uring, no_mmap) {
	.what = "head of completions, NO_MMAP", .word = CQ_HEAD,
	.flags = IORING_SETUP_NO_MMAP,
};

FIXTURE_VARIANT_ADD(uring, no_mmap_tail) {
	.what = "tail of submissions, NO_MMAP", .word = SQ_TAIL,
	.flags = IORING_SETUP_NO_MMAP,
};

/* user_addr is the last of the offsets; older headers have another name for it. */
static void lend(void *end_of_offsets, void *mem)
{
	__u64 addr = (__u64)mem;

	memcpy((char *)end_of_offsets - sizeof(addr), &addr, sizeof(addr));
}

static void map_ring(struct __test_metadata *_metadata, FIXTURE_DATA(uring) *self)
{
	self->sq = mmap(NULL, 2 * MCE_PAGE, PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_POPULATE, self->fd, IORING_OFF_SQ_RING);
	self->cq = mmap(NULL, MCE_PAGE, PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_POPULATE, self->fd, IORING_OFF_CQ_RING);
	self->sqe = mmap(NULL, MCE_PAGE, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_POPULATE, self->fd, IORING_OFF_SQES);
	ASSERT_NE(MAP_FAILED, (void *)self->sqe);
	if (self->sq == MAP_FAILED)
		self->sq = mmap(NULL, MCE_PAGE, PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_POPULATE, self->fd,
				IORING_OFF_SQ_RING);
	ASSERT_NE(MAP_FAILED, self->sq);
	ASSERT_NE(MAP_FAILED, self->cq);
}

FIXTURE_SETUP(uring)
{
	struct io_uring_params *par = &self->par;
	int evfd;

	ASSERT_EQ(0, mce_pin(0));
	memset(par, 0, sizeof(*par));
	par->flags = variant->flags;
	par->sq_thread_idle = 50;
	if (variant->flags & IORING_SETUP_NO_MMAP) {
		self->sq = mmap(NULL, 3 * MCE_PAGE, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
		ASSERT_NE(MAP_FAILED, self->sq);
		self->cq = self->sq;
		self->sqe = (struct io_uring_sqe *)(self->sq + 2 * MCE_PAGE);
		lend(&par->cq_off + 1, self->cq);
		lend(&par->sq_off + 1, self->sqe);
	}
	self->fd = syscall(__NR_io_uring_setup, ENTRIES, par);
	if (self->fd < 0)
		SKIP(return, "no io_uring, or not this kind");
	if (!(variant->flags & IORING_SETUP_NO_MMAP))
		map_ring(_metadata, self);
	/* The kernel asks the flags whether to signal it. */
	evfd = eventfd(0, EFD_NONBLOCK);
	if (variant->word == FLAGS)
		syscall(__NR_io_uring_register, self->fd, IORING_REGISTER_EVENTFD,
			&evfd, 1);
}

FIXTURE_TEARDOWN(uring)
{
	if (self->fd >= 0)
		close(self->fd);
	mce_retire();
}

static long enter(int fd, int n, unsigned int flags)
{
	long ret = syscall(__NR_io_uring_enter, fd, n, n, flags, NULL, 0);

	return ret < 0 ? -errno : ret;
}

/* Where it will be bad */
static void *bad_word(enum word word, FIXTURE_DATA(uring) *self)
{
	struct io_uring_params *par = &self->par;

	switch (word) {
	case SQ_TAIL:
		return self->sq + par->sq_off.tail;
	case CQ_HEAD:
		return self->cq + par->cq_off.head;
	case CQ_TAIL:
		return self->cq + par->cq_off.tail;
	default:
		return self->cq + par->cq_off.overflow;
	}
}

/* The thread of SQPOLL and the program may meet it at the same time. */
static long most(const struct _fixture_variant_uring *v)
{
	return v->flags & IORING_SETUP_SQPOLL ? 2 : 1;
}

TEST_F(uring, ends)
{
	struct io_uring_params *par = &self->par;
	unsigned int *tail = (unsigned int *)(self->sq + par->sq_off.tail);
	unsigned int flags = IORING_ENTER_GETEVENTS, i;
	long first, second, third;
	struct mce_watch w;
	int events;

	if (variant->flags & IORING_SETUP_SQPOLL) {
		/* It sleeps, and has said so in the flags. */
		flags |= IORING_ENTER_SQ_WAKEUP;
		nap();
	}
	for (i = 0; i < 3; i++) {
		memset(&self->sqe[i], 0, sizeof(self->sqe[i]));
		self->sqe[i].opcode = IORING_OP_NOP;
		((unsigned int *)(self->sq + par->sq_off.array))[i] = i;
	}
	__atomic_store_n(tail, 3, __ATOMIC_RELEASE);
	ASSERT_EQ(0, mce_arm(bad_word(variant->word, self), NULL));
	mce_watch_start(&w);
	first = enter(self->fd, 3, flags);
	/* Requests may have been taken. But that is all. */
	second = enter(self->fd, 3, flags);
	third = enter(self->fd, 0, IORING_ENTER_GETEVENTS);
	events = polled(self->fd);
	mce_watch_end(&w, 1);
	mce_outcome("%s: %ld, %ld, %ld, %s, %ld #MC", variant->what, first, second,
		    third, events & POLLERR ? "POLLERR" : "NO POLLERR", w.mcs);
	if (first != 3)
		EXPECT_EQ(-EFAULT, first);
	EXPECT_EQ(-EFAULT, second);
	EXPECT_EQ(-EFAULT, third);
	EXPECT_TRUE(events & POLLERR);
	EXPECT_LE(1, w.mcs);
	EXPECT_GE(most(variant), w.mcs);
}

/* A request that waits for a pipe to have something, once or each time */
static void wait_for_pipe(FIXTURE_DATA(uring) *self, int fd, bool multishot)
{
	struct io_uring_params *par = &self->par;
	unsigned int *tail = (unsigned int *)(self->sq + par->sq_off.tail);

	memset(self->sqe, 0, sizeof(*self->sqe));
	self->sqe->opcode = IORING_OP_POLL_ADD;
	self->sqe->fd = fd;
	self->sqe->poll32_events = POLLIN;
	self->sqe->len = multishot ? IORING_POLL_ADD_MULTI : 0;
	*(unsigned int *)(self->sq + par->sq_off.array) = 0;
	__atomic_store_n(tail, 1, __ATOMIC_RELEASE);
}

struct late_ring {
	void *bad;
	int fd;
};

static void *complete_ring_late(void *arg)
{
	struct late_ring *late = arg;

	nap();
	if (mce_arm(late->bad, NULL) || write(late->fd, "x", 1) != 1)
		return (void *)1;
	return NULL;
}

/* Who waits for a completion is told that there will be none. */
TEST_F(uring, waiter)
{
	struct late_ring late;
	struct mce_watch w;
	pthread_t thread;
	long first, ret;
	void *failed;
	int p[2];

	if (variant->word != CQ_HEAD && variant->word != CQ_TAIL)
		SKIP(return, "not looked at");
	ASSERT_EQ(0, pipe(p));
	wait_for_pipe(self, p[0], false);
	ASSERT_EQ(1, enter(self->fd, 1, 0));
	late = (struct late_ring){ bad_word(variant->word, self), p[1] };
	mce_watch_start(&w);
	ASSERT_EQ(0, pthread_create(&thread, NULL, complete_ring_late, &late));
	first = syscall(__NR_io_uring_enter, self->fd, 0, 1, IORING_ENTER_GETEVENTS,
			NULL, 0);
	first = first < 0 ? -errno : first;
	pthread_join(thread, &failed);
	ret = enter(self->fd, 0, IORING_ENTER_GETEVENTS);
	mce_watch_end(&w, 1);
	mce_outcome("%s: waiter %ld, %ld, %ld #MC", variant->what, first, ret, w.mcs);
	EXPECT_EQ(NULL, failed);
	EXPECT_EQ(-EFAULT, first);
	EXPECT_EQ(-EFAULT, ret);
	EXPECT_EQ(1, w.mcs);
	close(p[0]);
	close(p[1]);
}

/* It ends with requests under way, and its program does. */
TEST_F(uring, left_behind)
{
	struct mce_watch w;
	int p[2], i, status;
	pid_t pid;

	if (variant->flags & IORING_SETUP_SINGLE_ISSUER)
		SKIP(return, "not for a child");
	ASSERT_EQ(0, pipe2(p, O_NONBLOCK));
	mce_watch_start(&w);
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		/* Memory of its own: a copy would not be what the kernel has. */
		if (variant->flags & IORING_SETUP_NO_MMAP)
			_exit(77);
		wait_for_pipe(self, p[0], true);
		if (enter(self->fd, 1, IORING_ENTER_SQ_WAKEUP) != 1)
			_exit(1);
		nap();
		if (mce_arm(bad_word(variant->word, self), NULL))
			_exit(2);
		for (i = 0; i < 20; i++) {
			if (write(p[1], "x", 1) != 1)
				_exit(3);
			enter(self->fd, 0, IORING_ENTER_GETEVENTS |
			      IORING_ENTER_SQ_WAKEUP);
		}
		nap();
		mce_retire();
		_exit(0);
	}
	close(self->fd);
	self->fd = -1;
	munmap(self->sq, 2 * MCE_PAGE);
	munmap(self->cq, MCE_PAGE);
	munmap(self->sqe, MCE_PAGE);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	mce_watch_end(&w, 1);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		SKIP(return, "not for a child");
	mce_outcome("%s: status %x, %ld #MC", variant->what, status, w.mcs);
	EXPECT_EQ(0, status);
	EXPECT_GE(most(variant), w.mcs);
	close(p[0]);
	close(p[1]);
}

/* Somebody else looks at it, and at what is in it. */
TEST_F(uring, fdinfo)
{
	struct io_uring_params *par = &self->par;
	char path[64], buf[8192];
	struct mce_watch w;
	ssize_t len;
	int fd, i;

	if (variant->word == FLAGS || variant->flags & IORING_SETUP_SQPOLL)
		SKIP(return, "not shown");
	for (i = 0; i < 3; i++)
		((unsigned int *)(self->sq + par->sq_off.array))[i] = i;
	__atomic_store_n((unsigned int *)(self->sq + par->sq_off.tail), 3,
			 __ATOMIC_RELEASE);
	ASSERT_EQ(0, mce_arm(variant->word == SQ_TAIL ? (void *)self->sqe :
			     self->cq + par->cq_off.head, NULL));
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", self->fd);
	fd = open(path, O_RDONLY);
	ASSERT_LE(0, fd);
	mce_watch_start(&w);
	len = read(fd, buf, sizeof(buf));
	mce_watch_end(&w, 1);
	mce_outcome("fdinfo: %zd bytes, %ld #MC", len, w.mcs);
	EXPECT_LT(0, len);
	EXPECT_EQ(1, w.mcs);
	close(fd);
}

/* --- AIO --- */

FIXTURE(aio)
{
	aio_context_t ctx;
	int p[2];
};

FIXTURE_SETUP(aio)
{
	struct iocb cb, *list = &cb;

	ASSERT_EQ(0, mce_pin(0));
	self->ctx = 0;
	if (syscall(__NR_io_setup, ENTRIES, &self->ctx))
		SKIP(return, "no AIO");
	ASSERT_EQ(0, pipe(self->p));
	memset(&cb, 0, sizeof(cb));
	cb.aio_lio_opcode = IOCB_CMD_POLL;
	cb.aio_fildes = self->p[0];
	cb.aio_buf = POLLIN;
	ASSERT_EQ(1, syscall(__NR_io_submit, self->ctx, 1, &list));
}

FIXTURE_TEARDOWN(aio)
{
	syscall(__NR_io_destroy, self->ctx);
	close(self->p[0]);
	close(self->p[1]);
	mce_retire();
}

static long get_events(aio_context_t ctx)
{
	struct timespec t = { .tv_sec = 5 };
	struct io_event event;
	long ret = syscall(__NR_io_getevents, ctx, 1, 1, &event, &t);

	return ret < 0 ? -errno : ret;
}

/* A ring's address is the name that the program has for it. */
TEST_F(aio, completion)
{
	struct mce_watch w;
	long ret;

	ASSERT_EQ(0, mce_arm((void *)self->ctx, NULL));
	mce_watch_start(&w);
	EXPECT_EQ(1, write(self->p[1], "x", 1));
	nap();
	ret = get_events(self->ctx);
	mce_watch_end(&w, 1);
	mce_outcome("completion: %ld, %ld #MC", ret, w.mcs);
	EXPECT_TRUE(ret == -EFAULT || ret == -EINVAL);
	EXPECT_EQ(1, w.mcs);
}

struct late {
	aio_context_t ctx;
	int fd;
};

static void *complete_late(void *arg)
{
	struct late *late = arg;

	nap();
	if (mce_arm((void *)late->ctx, NULL) || write(late->fd, "x", 1) != 1)
		return (void *)1;
	return NULL;
}

/* Who waits for an event is told that there will be none. */
TEST_F(aio, waiter)
{
	struct late late = { self->ctx, self->p[1] };
	struct mce_watch w;
	pthread_t thread;
	void *failed;
	long ret;

	mce_watch_start(&w);
	ASSERT_EQ(0, pthread_create(&thread, NULL, complete_late, &late));
	ret = get_events(self->ctx);
	pthread_join(thread, &failed);
	mce_watch_end(&w, 1);
	mce_outcome("waiter: %ld, %ld #MC", ret, w.mcs);
	EXPECT_EQ(NULL, failed);
	EXPECT_EQ(-EFAULT, ret);
	EXPECT_EQ(1, w.mcs);
}

/* An event that cannot be read is not tried another time. */
TEST(aio_event)
{
	struct io_event events[EVENTS_IN_PAGE];
	struct iocb cb, *list = &cb;
	struct mce_watch w;
	aio_context_t ctx = 0;
	long first, second;
	int p[2], i;

	ASSERT_EQ(0, mce_pin(0));
	if (syscall(__NR_io_setup, EVENTS, &ctx))
		SKIP(return, "no AIO");
	ASSERT_EQ(0, pipe(p));
	ASSERT_EQ(1, write(p[1], "x", 1));
	memset(&cb, 0, sizeof(cb));
	cb.aio_lio_opcode = IOCB_CMD_POLL;
	cb.aio_fildes = p[0];
	cb.aio_buf = POLLIN;
	for (i = 0; i < EVENTS; i++)
		ASSERT_EQ(1, syscall(__NR_io_submit, ctx, 1, &list));
	ASSERT_EQ(EVENTS_IN_PAGE, syscall(__NR_io_getevents, ctx, 1, EVENTS_IN_PAGE,
					  events, NULL));
	mce_watch_start(&w);
	ASSERT_EQ(0, mce_arm((char *)ctx + MCE_PAGE, NULL));
	first = get_events(ctx);
	second = get_events(ctx);
	mce_watch_end(&w, 1);
	mce_outcome("event: %ld, %ld, %ld #MC", first, second, w.mcs);
	EXPECT_EQ(-EFAULT, first);
	EXPECT_EQ(-EFAULT, second);
	EXPECT_EQ(1, w.mcs);
	EXPECT_EQ(0, syscall(__NR_io_destroy, ctx));
	close(p[0]);
	close(p[1]);
	mce_retire();
}

/* --- packet sockets --- */

FIXTURE(packet)
{
	char *ring;
	int fd;
};

FIXTURE_VARIANT(packet)
{
	const char *what;
	int version;
	bool send;
};

FIXTURE_VARIANT_ADD(packet, send_v1) { .what = "send, v1", .version = TPACKET_V1, .send = true };
FIXTURE_VARIANT_ADD(packet, send_v2) { .what = "send, v2", .version = TPACKET_V2, .send = true };
FIXTURE_VARIANT_ADD(packet, send_v3) { .what = "send, v3", .version = TPACKET_V3, .send = true };
FIXTURE_VARIANT_ADD(packet, receive_v1) { .what = "receive, v1", .version = TPACKET_V1 };
FIXTURE_VARIANT_ADD(packet, receive_v2) { .what = "receive, v2", .version = TPACKET_V2 };
FIXTURE_VARIANT_ADD(packet, receive_v3) { .what = "receive, v3", .version = TPACKET_V3 };

static int set_ring(int fd, const struct _fixture_variant_packet *v, bool any)
{
	struct tpacket_req3 req = {
		.tp_block_size = BLOCK,
		.tp_block_nr = RING_LEN / BLOCK,
		.tp_frame_size = FRAME,
		.tp_frame_nr = RING_LEN / FRAME,
		.tp_retire_blk_tov = v->send ? 0 : 20,
	};

	if (!any)
		memset(&req, 0, sizeof(req));
	return setsockopt(fd, SOL_PACKET, v->send ? PACKET_TX_RING : PACKET_RX_RING, &req,
			  v->version == TPACKET_V3 ? sizeof(req) :
			  sizeof(struct tpacket_req));
}

FIXTURE_SETUP(packet)
{
	struct sockaddr_ll addr = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_IP),
		.sll_ifindex = if_nametoindex("lo"),
	};

	ASSERT_EQ(0, mce_pin(0));
	self->ring = MAP_FAILED;
	self->fd = socket(AF_PACKET, SOCK_DGRAM, htons(ETH_P_IP));
	if (self->fd < 0)
		SKIP(return, "no packet sockets");
	ASSERT_EQ(0, setsockopt(self->fd, SOL_PACKET, PACKET_VERSION,
				&variant->version, sizeof(variant->version)));
	ASSERT_EQ(0, set_ring(self->fd, variant, true));
	ASSERT_EQ(0, bind(self->fd, (struct sockaddr *)&addr, sizeof(addr)));
	self->ring = mmap(NULL, RING_LEN, PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_POPULATE, self->fd, 0);
	ASSERT_NE(MAP_FAILED, self->ring);
}

FIXTURE_TEARDOWN(packet)
{
	if (self->ring != MAP_FAILED)
		munmap(self->ring, RING_LEN);
	if (self->fd >= 0)
		close(self->fd);
	mce_retire();
}

/* Something to capture */
static void traffic(int n)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_port = htons(9),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	while (n--)
		sendto(fd, "something", 9, 0, (struct sockaddr *)&addr, sizeof(addr));
	close(fd);
}

static void request(char *frame, int version)
{
	switch (version) {
	case TPACKET_V1:
		((struct tpacket_hdr *)frame)->tp_len = 100;
		((struct tpacket_hdr *)frame)->tp_status = TP_STATUS_SEND_REQUEST;
		break;
	case TPACKET_V2:
		((struct tpacket2_hdr *)frame)->tp_len = 100;
		((struct tpacket2_hdr *)frame)->tp_status = TP_STATUS_SEND_REQUEST;
		break;
	default:
		((struct tpacket3_hdr *)frame)->tp_len = 100;
		((struct tpacket3_hdr *)frame)->tp_status = TP_STATUS_SEND_REQUEST;
	}
}

static void fill_ring(struct _test_data_packet *self,
		      const struct _fixture_variant_packet *variant)
{
	int i;

	for (i = 0; i < 2 && variant->send; i++)
		request(self->ring + i * FRAME, variant->version);
}

/* Send what is in the ring, or let something come. Return: as send(), or 0 */
static ssize_t use_ring(struct _test_data_packet *self,
			const struct _fixture_variant_packet *variant)
{
	if (variant->send)
		return send(self->fd, NULL, 0, 0);
	traffic(5);
	return 0;
}

/* A ring that is good works. Return: what poll() says after it */
static int expect_works(struct __test_metadata *const _metadata,
			struct _test_data_packet *self,
			const struct _fixture_variant_packet *variant)
{
	ssize_t sent;
	int events;

	fill_ring(self, variant);
	sent = use_ring(self, variant);
	EXPECT_EQ(variant->send ? 200 : 0, sent);
	nap();
	events = polled(self->fd);
	EXPECT_FALSE(events & POLLERR);
	EXPECT_TRUE(events & (variant->send ? POLLOUT : POLLIN));
	return events;
}

TEST_F(packet, ends)
{
	long first = 0, second = 0;
	struct mce_watch w;
	int events;

	fill_ring(self, variant);
	/* A timer looks at it, too. */
	mce_watch_start(&w);
	ASSERT_EQ(0, mce_arm(self->ring, NULL));
	if (variant->send) {
		first = send(self->fd, NULL, 0, 0) < 0 ? -errno : 1;
		second = send(self->fd, NULL, 0, 0) < 0 ? -errno : 1;
	} else {
		traffic(5);
		nap();
		traffic(5);
	}
	events = polled(self->fd);
	mce_watch_end(&w, 1);
	mce_outcome("%s: %ld, %ld, %s, %ld #MC", variant->what, first, second,
		    events & POLLERR ? "POLLERR" : "NO POLLERR", w.mcs);
	if (variant->send) {
		EXPECT_EQ(-EFAULT, first);
		EXPECT_EQ(-EFAULT, second);
	}
	EXPECT_TRUE(events & POLLERR);
	/* The timer of blocks may be another CPU's. */
	if (variant->send || variant->version != TPACKET_V3)
		EXPECT_EQ(1, w.mcs);
	EXPECT_GE(1, w.mcs);
}

struct poller {
	int fd, events;
};

static void *poll_for_error(void *arg)
{
	struct poller *p = arg;
	struct pollfd pfd = { .fd = p->fd };

	p->events = poll(&pfd, 1, 5000) == 1 ? pfd.revents : 0;
	return NULL;
}

/* Who waits is told, and a ring that is set up anew works. */
TEST_F(packet, waiter)
{
	struct poller p = { .fd = self->fd };
	struct mce_watch w;
	pthread_t thread;
	int after;

	fill_ring(self, variant);
	mce_watch_start(&w);
	ASSERT_EQ(0, pthread_create(&thread, NULL, poll_for_error, &p));
	nap();
	ASSERT_EQ(0, mce_arm(self->ring, NULL));
	EXPECT_EQ(variant->send ? -1 : 0, use_ring(self, variant));
	pthread_join(thread, NULL);
	mce_watch_end(&w, 1);
	EXPECT_TRUE(p.events & POLLERR);
	EXPECT_EQ(0, munmap(self->ring, RING_LEN));
	self->ring = MAP_FAILED;
	mce_retire();
	EXPECT_EQ(0, set_ring(self->fd, variant, false));
	EXPECT_EQ(0, set_ring(self->fd, variant, true));
	self->ring = mmap(NULL, RING_LEN, PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_POPULATE, self->fd, 0);
	ASSERT_NE(MAP_FAILED, self->ring);
	after = expect_works(_metadata, self, variant);
	mce_outcome("%s: %s, then %s, %ld #MC", variant->what,
		    p.events & POLLERR ? "POLLERR" : "NOTHING",
		    after & POLLERR ? "POLLERR" : "good", w.mcs);
	if (variant->send || variant->version != TPACKET_V3)
		EXPECT_EQ(1, w.mcs);
	EXPECT_GE(1, w.mcs);
}

TEST_F(packet, good)
{
	expect_works(_metadata, self, variant);
}

/* --- perf --- */

TEST(perf_tail)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_PAGE_FAULTS,
		.sample_period = 1,
		.sample_type = PERF_SAMPLE_IP,
	};
	char *faults;
	struct mce_watch w;
	char *ring;
	int fd, i;

	ASSERT_EQ(0, mce_pin(0));
	fd = syscall(__NR_perf_event_open, &attr, 0, -1, -1, 0);
	if (fd < 0)
		SKIP(return, "no perf");
	ring = mmap(NULL, 9 * MCE_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, ring);
	((struct perf_event_mmap_page *)ring)->data_tail = 0;
	faults = mmap(NULL, 16 * MCE_PAGE, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, faults);
	madvise(faults, 16 * MCE_PAGE, MADV_NOHUGEPAGE);
	/* This has page faults as well. */
	mce_watch_start(&w);
	ASSERT_EQ(0, mce_arm(&((struct perf_event_mmap_page *)ring)->data_tail, NULL));
	for (i = 0; i < 16; i++)
		__atomic_store_n(faults + i * MCE_PAGE, 1, __ATOMIC_RELAXED);
	mce_watch_end(&w, 1);
	mce_outcome("perf: %ld #MC", w.mcs);
	EXPECT_EQ(1, w.mcs);
	munmap(ring, 9 * MCE_PAGE);
	close(fd);
	mce_retire();
}

/* The first line, which the kernel changes in place */
TEST(perf_count)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_PAGE_FAULTS,
	};
	struct perf_event_mmap_page *page;
	struct mce_watch w;
	long err = 0;
	int fd, i;

	ASSERT_EQ(0, mce_pin(0));
	fd = syscall(__NR_perf_event_open, &attr, 0, -1, -1, 0);
	if (fd < 0)
		SKIP(return, "no perf");
	page = mmap(NULL, MCE_PAGE, PROT_READ, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, page);
	ASSERT_NE(0, page->lock);
	mce_watch_start(&w);
	ASSERT_EQ(0, mce_arm(page, NULL));
	for (i = 0; i < 10; i++)
		err |= ioctl(fd, PERF_EVENT_IOC_RESET, 0);
	mce_watch_end(&w, 1);
	mce_outcome("perf: %ld, %ld #MC", err, w.mcs);
	EXPECT_EQ(0, err);
	/* An interrupt in between looks, too, before it is known. */
	EXPECT_GE(w.mcs, 1);
	EXPECT_LE(w.mcs, 2);
	munmap(page, MCE_PAGE);
	close(fd);
	mce_retire();
}

/* --- all at once --- */

/*
 * Workers use a ring with several threads, a line of it goes bad, they go on, fork,
 * close it or leave it behind. A worker may die of SIGBUS, for it touches its ring,
 * too. That is all that may happen.
 */
#define WORKERS		3
#define ROUNDS		40
#define PATIENCE	40	/* seconds */

struct storm {
	unsigned int seed;
	int fd, p[2];
	aio_context_t ctx;
	char *mem;		/* of the ring */
	size_t len;
	unsigned int tail;
	FIXTURE_DATA(uring) u;
	const struct _fixture_variant_packet *v;
	volatile bool stop;
};

static int *einj_busy;	/* shared: the injector takes one order at a time */

static unsigned int dice(struct storm *s, unsigned int sides)
{
	return rand_r(&s->seed) % sides;
}

static void spoil(struct storm *s)
{
	void *line = s->mem + dice(s, s->len / 64) * 64;

	/* As likely as not where everybody looks */
	if (dice(s, 2))
		line = s->mem + dice(s, 4) * 64;
	while (__atomic_exchange_n(einj_busy, 1, __ATOMIC_ACQUIRE))
		sched_yield();
	mce_arm(line, NULL);
	__atomic_store_n(einj_busy, 0, __ATOMIC_RELEASE);
}

static void look_at(int fd)
{
	char path[64], buf[4096];
	int info;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	info = open(path, O_RDONLY);
	if (info < 0)
		return;
	while (read(info, buf, sizeof(buf)) > 0)
		;
	close(info);
}

static long enter_briefly(struct storm *s, unsigned int n)
{
	struct __kernel_timespec { __s64 sec; long long nsec; } ts = { 0, 2000000 };
	struct io_uring_getevents_arg arg = { .ts = (__u64)&ts };

	return syscall(__NR_io_uring_enter, s->fd, n, 1 + dice(s, 3),
		       IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG |
		       IORING_ENTER_SQ_WAKEUP, &arg, sizeof(arg));
}

static void uring_step(struct storm *s)
{
	struct io_uring_params *par = &s->u.par;
	unsigned int n = 1 + dice(s, 4), i;
	struct { __s64 sec; long long nsec; } ts = { 0, 1000000 };
	static char buf[64];

	for (i = 0; i < n; i++) {
		unsigned int at = s->tail++ % par->sq_entries;
		struct io_uring_sqe *sqe = &s->u.sqe[at];

		memset(sqe, 0, sizeof(*sqe));
		sqe->fd = s->p[0];
		switch (dice(s, 5)) {
		case 0:
			sqe->opcode = IORING_OP_POLL_ADD;
			sqe->poll32_events = POLLIN;
			sqe->len = dice(s, 2) ? IORING_POLL_ADD_MULTI : 0;
			break;
		case 1:
			sqe->opcode = IORING_OP_TIMEOUT;
			sqe->addr = (__u64)&ts;
			sqe->len = 1;
			break;
		case 2:
			sqe->opcode = IORING_OP_READ;
			sqe->addr = (__u64)buf;
			sqe->len = 1;
			break;
		default:
			sqe->opcode = IORING_OP_NOP;
			sqe->flags = dice(s, 2) ? IOSQE_ASYNC : 0;
		}
		sqe->flags |= dice(s, 4) ? 0 : IOSQE_IO_LINK;
		((unsigned int *)(s->u.sq + par->sq_off.array))[at] = at;
	}
	__atomic_store_n((unsigned int *)(s->u.sq + par->sq_off.tail), s->tail,
			 __ATOMIC_RELEASE);
	enter_briefly(s, n);
	/* Never mind what is in there */
	if (!dice(s, 3))
		__atomic_store_n((unsigned int *)(s->u.cq + par->cq_off.head),
				 __atomic_load_n((unsigned int *)(s->u.cq + par->cq_off.tail),
						 __ATOMIC_ACQUIRE), __ATOMIC_RELEASE);
}

static void aio_step(struct storm *s)
{
	struct timespec t = { .tv_nsec = 2000000 };
	struct io_event events[8];
	struct iocb cb = {
		.aio_lio_opcode = IOCB_CMD_POLL,
		.aio_fildes = s->p[0],
		.aio_buf = POLLIN,
	}, *list = &cb;

	syscall(__NR_io_submit, s->ctx, 1, &list);
	syscall(__NR_io_getevents, s->ctx, 1, 1 + dice(s, 8), events, &t);
}

static void packet_step(struct storm *s)
{
	unsigned int i;

	polled(s->fd);
	traffic(1 + dice(s, 3));
	if (!s->v->send)
		return;
	for (i = 0; i < 3; i++)
		request(s->mem + dice(s, RING_LEN / FRAME) * FRAME, s->v->version);
	send(s->fd, NULL, 0, MSG_DONTWAIT);
}

static void step(struct storm *s)
{
	if (s->ctx)
		aio_step(s);
	else if (s->v)
		packet_step(s);
	else
		uring_step(s);
}

static void *beside(void *arg)
{
	struct storm s = *(struct storm *)arg;
	struct timespec t = { .tv_nsec = 3000000 };
	struct io_event events[8];

	s.seed ^= 0x5a5a;
	while (!((struct storm *)arg)->stop) {
		switch (dice(&s, 5)) {
		case 0:
			if (s.fd >= 0)
				look_at(s.fd);
			break;
		case 1:
			if (s.fd >= 0)
				polled(s.fd);
			break;
		case 2:
			if (write(s.p[1], "x", 1) != 1 && dice(&s, 2))
				nanosleep(&t, NULL);
			break;
		default:
			if (s.ctx)
				syscall(__NR_io_getevents, s.ctx, 1, 8, events, &t);
			else if (s.v)
				traffic(2);
			else
				enter_briefly(&s, 0);
		}
	}
	return NULL;
}

static int storm_uring(struct storm *s)
{
	static const unsigned int kinds[] = {
		0, 0, IORING_SETUP_SQPOLL, DEFER,
		IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
	};
	struct io_uring_params *par = &s->u.par;

	par->flags = kinds[dice(s, sizeof(kinds) / sizeof(kinds[0]))];
	par->sq_thread_idle = 10;
	s->fd = syscall(__NR_io_uring_setup, ENTRIES, par);
	if (s->fd < 0)
		return -1;
	s->u.sq = mmap(NULL, MCE_PAGE, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_POPULATE, s->fd, IORING_OFF_SQ_RING);
	s->u.cq = s->u.sq;
	s->u.sqe = mmap(NULL, MCE_PAGE, PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_POPULATE, s->fd, IORING_OFF_SQES);
	if (s->u.sq == MAP_FAILED || (void *)s->u.sqe == MAP_FAILED)
		return -1;
	s->mem = dice(s, 4) ? s->u.sq : (char *)s->u.sqe;
	s->len = 1024;
	return 0;
}

static int storm_packet(struct storm *s)
{
	static const struct _fixture_variant_packet kinds[] = {
		{ .version = TPACKET_V1 }, { .version = TPACKET_V2 },
		{ .version = TPACKET_V3 }, { .version = TPACKET_V2, .send = true },
		{ .version = TPACKET_V3, .send = true },
	};
	struct sockaddr_ll addr = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_IP),
		.sll_ifindex = if_nametoindex("lo"),
	};

	s->v = &kinds[dice(s, sizeof(kinds) / sizeof(kinds[0]))];
	s->fd = socket(AF_PACKET, SOCK_DGRAM, htons(ETH_P_IP));
	if (s->fd < 0 || setsockopt(s->fd, SOL_PACKET, PACKET_VERSION, &s->v->version,
				    sizeof(s->v->version)) ||
	    set_ring(s->fd, s->v, true) ||
	    bind(s->fd, (struct sockaddr *)&addr, sizeof(addr)))
		return -1;
	s->mem = mmap(NULL, RING_LEN, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_POPULATE, s->fd, 0);
	s->len = RING_LEN;
	return s->mem == MAP_FAILED ? -1 : 0;
}

static int storm_aio(struct storm *s)
{
	s->fd = -1;
	if (syscall(__NR_io_setup, EVENTS, &s->ctx))
		return -1;
	s->mem = (char *)s->ctx;
	s->len = MCE_PAGE + 1024;
	return 0;
}

static int worker(unsigned int seed, int kind)
{
	struct storm s = { .seed = seed };
	pthread_t threads[2];
	unsigned int when, i;
	bool alone, gone = false;
	pid_t pid;

	if (pipe2(s.p, O_NONBLOCK))
		return 1;
	if (kind == 0 ? storm_uring(&s) : kind == 1 ? storm_aio(&s) : storm_packet(&s))
		return 2;
	alone = s.u.par.flags & IORING_SETUP_SINGLE_ISSUER;
	for (i = 0; i < 2 && !alone; i++)
		if (pthread_create(&threads[i], NULL, beside, &s))
			return 3;
	when = dice(&s, ROUNDS / 2);
	for (i = 0; i < ROUNDS; i++) {
		if (i == when && !gone)
			spoil(&s);
		step(&s);
		if (alone && write(s.p[1], "x", 1) != 1)
			polled(s.fd);
		switch (dice(&s, 60)) {
		case 0:
			pid = fork();
			if (!pid) {
				if (s.fd >= 0)
					polled(s.fd);
				_exit(0);
			}
			waitpid(pid, NULL, 0);
			break;
		case 1:
			close(s.fd);
			break;
		case 2:
			/* Its memory is somebody else's then. */
			mce_retire();
			gone = !!s.ctx;
			if (s.ctx)
				syscall(__NR_io_destroy, s.ctx);
			else if (s.v)
				set_ring(s.fd, s.v, true);
			break;
		}
	}
	/* What was not met is not to be met by who has the page next. */
	mce_retire();
	if (dice(&s, 2))
		_exit(0);
	s.stop = true;
	for (i = 0; i < 2 && !alone; i++)
		pthread_join(threads[i], NULL);
	if (s.fd >= 0)
		close(s.fd);
	return 0;
}

FIXTURE(storm)
{
};

FIXTURE_VARIANT(storm)
{
	const char *what;
	int kind;
};

FIXTURE_VARIANT_ADD(storm, uring) { .what = "io_uring", .kind = 0 };
FIXTURE_VARIANT_ADD(storm, aio) { .what = "AIO", .kind = 1 };
FIXTURE_VARIANT_ADD(storm, packet) { .what = "packet", .kind = 2 };

FIXTURE_SETUP(storm)
{
	einj_busy = mmap(NULL, MCE_PAGE, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)einj_busy);
}

FIXTURE_TEARDOWN(storm)
{
}

TEST_F_TIMEOUT(storm, survives, 1200)
{
	const char *env = getenv("MCE_SEED"), *secs = getenv("MCE_SECONDS");
	unsigned int seed = env ? strtoul(env, NULL, 0) : 1, left, done = 0, killed = 0;
	time_t end = time(NULL) + (secs ? atoi(secs) : 10), begun[WORKERS] = {};
	pid_t pids[WORKERS] = {}, pid;
	int status, odd = 0, i;

	do {
		left = 0;
		for (i = 0; i < WORKERS; i++) {
			if (pids[i] && waitpid(pids[i], &status, WNOHANG) == pids[i]) {
				pids[i] = 0;
				done++;
				if (WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS)
					killed++;
				else
					odd = odd ?: status;
			}
			if (pids[i] && time(NULL) - begun[i] > PATIENCE) {
				TH_LOG("%s: seed %u does not end", variant->what, seed);
				kill(pids[i], SIGKILL);
				odd = -1;
				pids[i] = 0;
			}
			if (!pids[i] && time(NULL) < end) {
				begun[i] = time(NULL);
				seed++;
				pid = fork();
				if (!pid)
					_exit(worker(seed, variant->kind));
				pids[i] = pid;
			}
			left += !!pids[i];
		}
		usleep(1000);
	} while (left);
	mce_outcome("%s: %u workers, %s", variant->what, done,
		    odd ? "ODD" : killed ? "some got SIGBUS" : "no signal");
	EXPECT_EQ(0, odd);
	EXPECT_LT(0, done);
}

#include "mce_main.h"
