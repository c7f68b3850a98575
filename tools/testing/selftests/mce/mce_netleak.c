// SPDX-License-Identifier: GPL-2.0
/*
 * The network stack itself copies what is bad, where nobody waits for an error:
 * into a packet that it makes of another one, or to look at a byte of it.
 *
 * What it could not copy it must not send, and least of all what happened to be
 * in that memory before. To find that out, memory is filled with a pattern and
 * freed, and the pattern is looked for in what comes out.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/udp.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "../kselftest_harness.h"
#include "mce_lib.h"

#define SEED	0x1eac
#define BAD	128		/* near the front: an ICMP error quotes 548 bytes */
#define LEN	2000
#define HEADERS	(sizeof(struct iphdr) + sizeof(struct udphdr))

static int wait_for(int fd, int ms)
{
	struct timeval patience = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

	return setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
}

static int loopback_mtu(int mtu)
{
	struct ifreq ifr = { .ifr_name = "lo" };
	int was, s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (ioctl(s, SIOCGIFMTU, &ifr))
		return -1;
	was = ifr.ifr_mtu;
	ifr.ifr_mtu = mtu;
	if (ioctl(s, SIOCSIFMTU, &ifr))
		was = -1;
	close(s);
	return was;
}

/* Free memory has a pattern in it: that which packets are made of. */
static __u64 pollute(void)
{
	static const size_t lens[] = { 64, 200, 600, 1500, 3500 };
	struct sockaddr_in addr = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	static __u8 buf[MCE_PAGE];
	__u64 pattern = mce_pattern(buf, sizeof(buf));
	socklen_t len = sizeof(addr);
	unsigned int i, j;
	int tx, rx;

	for (i = 0; i < ARRAY_SIZE(lens); i++) {
		tx = socket(AF_INET, SOCK_DGRAM, 0);
		rx = socket(AF_INET, SOCK_DGRAM, 0);
		if (bind(rx, (struct sockaddr *)&addr, len) ||
		    getsockname(rx, (struct sockaddr *)&addr, &len) ||
		    connect(tx, (struct sockaddr *)&addr, len))
			return 0;
		addr.sin_port = 0;
		for (j = 0; j < 100; j++)
			send(tx, buf, lens[i], MSG_DONTWAIT);
		close(tx);
		close(rx);
	}
	return pattern;
}

/* Does that come out anywhere? */
static bool leaks(const __u8 *buf, size_t len, __u64 pattern)
{
	return memmem(buf, len, &pattern, sizeof(pattern));
}

FIXTURE(packet)
{
	int tx, rx, icmp, pipe[2], mtu;
	__u8 *src;
	__u64 phys;
};

FIXTURE_SETUP(packet)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t len = sizeof(addr);
	const int dont = IP_PMTUDISC_DONT;

	self->mtu = -1;
	if (mce_symbol("do_csum"))
		SKIP(return, "the generic checksum of a KASAN kernel is not recovered");
	ASSERT_EQ(0, mce_pin(0));
	self->tx = socket(AF_INET, SOCK_DGRAM, 0);
	self->rx = socket(AF_INET, SOCK_DGRAM, 0);
	self->icmp = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
	if (self->tx < 0 || self->rx < 0 || self->icmp < 0)
		SKIP(return, "no such sockets");
	ASSERT_EQ(0, bind(self->rx, (struct sockaddr *)&addr, len));
	ASSERT_EQ(0, getsockname(self->rx, (struct sockaddr *)&addr, &len));
	ASSERT_EQ(0, connect(self->tx, (struct sockaddr *)&addr, len));
	ASSERT_EQ(0, setsockopt(self->tx, IPPROTO_IP, IP_MTU_DISCOVER, &dont,
				sizeof(dont)));
	ASSERT_EQ(0, wait_for(self->rx, 300));
	ASSERT_EQ(0, wait_for(self->icmp, 300));
	ASSERT_EQ(0, pipe(self->pipe));
	self->src = mmap(NULL, 2 * MCE_PAGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	ASSERT_NE(MAP_FAILED, self->src);
	mce_fill(self->src, 2 * MCE_PAGE, SEED, 0);
}

FIXTURE_TEARDOWN(packet)
{
	if (self->mtu > 0)
		loopback_mtu(self->mtu);
	mce_retire();
	close(self->tx);
	close(self->rx);
	close(self->icmp);
	close(self->pipe[0]);
	close(self->pipe[1]);
	munmap(self->src, 2 * MCE_PAGE);
}

/* A page of the program's, not copied. */
static ssize_t splice_to(struct _test_data_packet *self, __u8 *from, size_t len)
{
	struct iovec iov = { from, len };

	if (vmsplice(self->pipe[1], &iov, 1, 0) != (ssize_t)len)
		return -1;
	return splice(self->pipe[0], NULL, self->tx, NULL, len, 0);
}

static void owner_hears_of(struct __test_metadata *const _metadata,
			   struct mce_watch *w, const __u8 *bad)
{
	EXPECT_EQ(1, w->mcs);
	EXPECT_EQ(1, w->offlined);
	EXPECT_STREQ("", w->log);
	EXPECT_STREQ("", mce_owner_hears(bad));
}

/*
 * Nobody listens, and the kernel answers with an error that has the packet in it.
 */
TEST_F(packet, icmp_error)
{
	static __u8 got[MCE_PAGE];
	struct mce_watch w;
	socklen_t len = sizeof(int);
	int err, i, packets = 0, leaking = 0;
	__u64 pattern;
	ssize_t n;

	close(self->rx);
	/* This is what it looks like when all is well. */
	ASSERT_EQ(LEN, splice_to(self, self->src, LEN));
	n = recv(self->icmp, got, sizeof(got), 0);
	ASSERT_LT((ssize_t)(28 + HEADERS + 2 * BAD), n);
	EXPECT_EQ(-1, mce_differs(got + 28 + HEADERS, n - 28 - HEADERS, SEED, 0));
	ASSERT_EQ(0, getsockopt(self->tx, SOL_SOCKET, SO_ERROR, &err, &len));
	ASSERT_EQ(ECONNREFUSED, err);

	/* What somebody else sends, and is told of, just before. */
	ASSERT_NE(0, pollute());
	pattern = mce_pattern(self->src + MCE_PAGE, MCE_PAGE);
	for (i = 0; i < 8; i++) {
		ASSERT_EQ(LEN, splice_to(self, self->src + MCE_PAGE, LEN));
		ASSERT_LT(0, recv(self->icmp, got, sizeof(got), 0));
		ASSERT_TRUE(leaks(got, sizeof(got), pattern));
		getsockopt(self->tx, SOL_SOCKET, SO_ERROR, &err, &len);
	}
	mce_fill(self->src + MCE_PAGE, MCE_PAGE, SEED, MCE_PAGE);
	ASSERT_EQ(0, mce_arm(self->src + BAD, &self->phys));
	mce_watch_start(&w);
	EXPECT_EQ(LEN, splice_to(self, self->src, LEN));
	while ((n = recv(self->icmp, got, sizeof(got), 0)) > 0) {
		packets++;
		leaking += leaks(got, n, pattern);
	}
	mce_watch_end(&w, 1);
	mce_outcome("ICMP error: %d packets, %d leak, %ld #MC", packets, leaking, w.mcs);
	EXPECT_EQ(0, leaking);
	EXPECT_EQ(0, packets);
	owner_hears_of(_metadata, &w, self->src + BAD);

	/* The next one is answered. */
	ASSERT_EQ(LEN, splice_to(self, self->src + MCE_PAGE, LEN));
	n = recv(self->icmp, got, sizeof(got), 0);
	ASSERT_LT((ssize_t)(28 + HEADERS), n);
	EXPECT_EQ(-1, mce_differs(got + 28 + HEADERS, n - 28 - HEADERS, SEED, MCE_PAGE));
}

/* The packet turns out to be too large when it is sent, and is cut up. */
static void fragment(struct __test_metadata *const _metadata,
		     struct _test_data_packet *self, int no_check)
{
	static __u8 got[2 * MCE_PAGE];
	const int on = 1, off = 0;
	struct mce_watch w;
	int packets = 0, leaking = 0;
	__u64 pattern;
	ssize_t n;

	ASSERT_EQ(0, setsockopt(self->tx, SOL_SOCKET, SO_NO_CHECK, &no_check,
				sizeof(no_check)));
	ASSERT_EQ(0, setsockopt(self->tx, IPPROTO_UDP, UDP_CORK, &on, sizeof(on)));
	ASSERT_EQ(LEN, splice_to(self, self->src, LEN));
	ASSERT_EQ(0, mce_arm(self->src + BAD, &self->phys));
	self->mtu = loopback_mtu(1000);
	ASSERT_LT(0, self->mtu);
	pattern = pollute();
	mce_watch_start(&w);
	setsockopt(self->tx, IPPROTO_UDP, UDP_CORK, &off, sizeof(off));
	while ((n = recv(self->rx, got, sizeof(got), 0)) > 0) {
		packets++;
		leaking += leaks(got, n, pattern);
	}
	mce_watch_end(&w, 1);
	mce_outcome("fragmented: %d packets, %d leak, %ld #MC", packets, leaking, w.mcs);
	EXPECT_EQ(0, packets);
	owner_hears_of(_metadata, &w, self->src + BAD);

	/* Others get through. */
	ASSERT_EQ(LEN, splice_to(self, self->src + MCE_PAGE, LEN));
	ASSERT_EQ(LEN, recv(self->rx, got, sizeof(got), 0));
	EXPECT_EQ(-1, mce_differs(got, LEN, SEED, MCE_PAGE));
}

TEST_F(packet, fragment)
{
	fragment(_metadata, self, 1);
}

/* Here the checksum comes first. */
TEST_F(packet, fragment_with_checksum)
{
	fragment(_metadata, self, 0);
}

/* --- streams --- */

/*
 * The urgent byte is looked at when its packet arrives. It goes bad in the
 * sender's queue, which waits for room at the receiver's.
 */
TEST(urgent_byte)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	const int small = 2048, large = 1 << 20, one = 1;
	static __u8 ahead[65536], data[1024], got[65536];
	int listener, tx, rx, err = 0, oob_err, tries;
	socklen_t len = sizeof(addr);
	ssize_t n = 0, sum = 0, oob;
	struct mce_watch w;
	__u64 phys;
	__u8 byte;

	ASSERT_EQ(0, mce_pin(0));
	listener = socket(AF_INET, SOCK_STREAM, 0);
	tx = socket(AF_INET, SOCK_STREAM, 0);
	ASSERT_EQ(0, setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)));
	ASSERT_EQ(0, setsockopt(tx, SOL_SOCKET, SO_SNDBUF, &large, sizeof(large)));
	ASSERT_EQ(0, bind(listener, (struct sockaddr *)&addr, len));
	ASSERT_EQ(0, getsockname(listener, (struct sockaddr *)&addr, &len));
	ASSERT_EQ(0, listen(listener, 1));
	ASSERT_EQ(0, connect(tx, (struct sockaddr *)&addr, len));
	rx = accept(listener, NULL, NULL);
	ASSERT_LE(0, rx);
	setsockopt(tx, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	ASSERT_EQ(0, wait_for(rx, 1000));
	ASSERT_EQ((ssize_t)sizeof(ahead), send(tx, ahead, sizeof(ahead), MSG_DONTWAIT));
	mce_pattern(data, sizeof(data));
	ASSERT_EQ((ssize_t)sizeof(data), send(tx, data, sizeof(data),
					      MSG_OOB | MSG_DONTWAIT));
	ASSERT_LE(1, mce_find_copy(data, sizeof(data), &phys));
	memset(data, 0, sizeof(data));
	ASSERT_EQ(0, mce_arm_phys(phys + sizeof(data) - 1));
	mce_watch_start(&w);
	oob = recv(rx, &byte, 1, MSG_OOB | MSG_DONTWAIT);
	for (tries = 0; tries < 200; tries++) {
		n = recv(rx, got, sizeof(got), 0);
		err = errno;
		if (n <= 0)
			break;
		sum += n;
	}
	oob = oob < 0 ? recv(rx, &byte, 1, MSG_OOB | MSG_DONTWAIT) : oob;
	oob_err = errno;
	mce_watch_end(&w, 1);
	mce_outcome("urgent byte: %zd bytes, then %s; MSG_OOB: %s; %ld #MC", sum,
		    n < 0 ? mce_errname(err) : "the end",
		    oob < 0 ? mce_errname(oob_err) : "NO ERROR", w.mcs);
	/* Nobody is told a byte that is not true. */
	EXPECT_EQ(-1, oob);
	/* And the stream does not go on behind it. */
	EXPECT_EQ(-1, n);
	EXPECT_EQ(EIO, err);
	EXPECT_LE(sum, (ssize_t)(sizeof(ahead) + sizeof(data) - 1));
	/* TCP met it, and then the reader. */
	EXPECT_LE(1, w.mcs);
	EXPECT_LE(w.mcs, 2);
	EXPECT_EQ(1, w.offlined);
	EXPECT_STREQ("", w.log);
	EXPECT_EQ(0, recv(rx, &byte, 1, MSG_DONTWAIT));
	mce_retire();
	close(listener);
	close(tx);
	close(rx);
}

#define ROUNDS	60

struct shouter {
	pthread_t thread;
	int fd;
	int stop;
};

/* Sends urgent bytes as fast as it can. */
static void *shout(void *arg)
{
	struct shouter *s = arg;

	mce_pin(1);
	while (!__atomic_load_n(&s->stop, __ATOMIC_ACQUIRE))
		if (send(s->fd, "!", 1, MSG_OOB | MSG_DONTWAIT | MSG_NOSIGNAL) < 0 &&
		    errno != EAGAIN)
			break;
	return NULL;
}

/*
 * A local stream breaks while its sender adds urgent bytes. Behind the break
 * there is nothing: no byte in the queue, and none that counts as urgent and
 * is not there any more.
 */
TEST(urgent_bytes_and_a_break)
{
	unsigned int seed = SEED;
	int round, fds[2], p[2], left = 0, urgent = 0, other = 0;
	volatile unsigned int spin;
	struct shouter s;
	struct mce_watch w;
	__u8 *page, byte;
	struct pollfd pfd;
	struct iovec iov;

	ASSERT_EQ(0, mce_pin(0));
	ASSERT_EQ(0, pipe(p));
	mce_watch_start(&w);
	for (round = 0; round < ROUNDS; round++) {
		page = mmap(NULL, MCE_PAGE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
		ASSERT_NE(MAP_FAILED, page);
		mce_fill(page, MCE_PAGE, SEED, 0);
		ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
		iov = (struct iovec){ page, MCE_PAGE };
		ASSERT_EQ((ssize_t)MCE_PAGE, vmsplice(p[1], &iov, 1, 0));
		ASSERT_EQ((ssize_t)MCE_PAGE, splice(p[0], NULL, fds[0], NULL,
						    MCE_PAGE, 0));
		ASSERT_EQ(0, mce_arm(page + 1024, NULL));
		s = (struct shouter){ .fd = fds[0] };
		ASSERT_EQ(0, pthread_create(&s.thread, NULL, shout, &s));
		for (spin = rand_r(&seed) % 200000; spin; spin--)
			;
		other += recv(fds[1], &byte, 1, MSG_PEEK | MSG_DONTWAIT) != 1;
		if (recv(fds[1], page, MCE_PAGE, MSG_DONTWAIT) != -1 || errno != EIO)
			other++;
		pfd = (struct pollfd){ .fd = fds[1], .events = POLLPRI | POLLIN };
		poll(&pfd, 1, 0);
		urgent += !!(pfd.revents & POLLPRI);
		left += recv(fds[1], &byte, 1, MSG_DONTWAIT) != 0;
		/* If that is a packet that was freed, this is the end. */
		urgent += recv(fds[1], &byte, 1, MSG_OOB | MSG_DONTWAIT) != -1;
		__atomic_store_n(&s.stop, 1, __ATOMIC_RELEASE);
		pthread_join(s.thread, NULL);
		close(fds[0]);
		close(fds[1]);
		munmap(page, MCE_PAGE);
	}
	mce_watch_end(&w, ROUNDS);
	mce_outcome("%d rounds: data behind the break %d times, urgent %d times",
		    ROUNDS, left, urgent);
	EXPECT_EQ(0, other);
	EXPECT_EQ(0, left);
	EXPECT_EQ(0, urgent);
	EXPECT_EQ(ROUNDS, w.mcs);
	EXPECT_STREQ("", w.log);
	mce_retire();
	close(p[0]);
	close(p[1]);
}

#include "mce_main.h"
