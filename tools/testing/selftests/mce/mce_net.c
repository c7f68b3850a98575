// SPDX-License-Identifier: GPL-2.0
/*
 * Poison in a packet on its way to the reader.
 *
 * A datagram is dropped, and its reader is told. A stream ends there: bytes are
 * missing that the sender will not send again, so both sides have to know. The
 * memory, which may be an object of a slab, never comes back.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/ip.h>
#include <linux/sockios.h>
#include <linux/udp.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "../kselftest_harness.h"
#include "mce_lib.h"

#define SEED	0xa00a
#define BAD	1024
#define BUFLEN	(64 * MCE_PAGE)
#define RING_LEN	(64 * MCE_PAGE)

FIXTURE(socket)
{
	int tx, rx;
	__u8 *src, *dst;
	__u64 phys;
};

FIXTURE_VARIANT(socket)
{
	int family;
	int type;
	size_t len;		/* of a message */
};

FIXTURE_VARIANT_ADD(socket, unix_stream)
{
	.family = AF_UNIX,
	.type = SOCK_STREAM,
	.len = 3000,
};

FIXTURE_VARIANT_ADD(socket, unix_stream_large)
{
	.family = AF_UNIX,
	.type = SOCK_STREAM,
	.len = 7 * MCE_PAGE,
};

FIXTURE_VARIANT_ADD(socket, unix_dgram)
{
	.family = AF_UNIX,
	.type = SOCK_DGRAM,
	.len = 3000,
};

FIXTURE_VARIANT_ADD(socket, unix_dgram_large)
{
	.family = AF_UNIX,
	.type = SOCK_DGRAM,
	.len = 7 * MCE_PAGE,
};

FIXTURE_VARIANT_ADD(socket, unix_seqpacket)
{
	.family = AF_UNIX,
	.type = SOCK_SEQPACKET,
	.len = 3000,
};

FIXTURE_VARIANT_ADD(socket, tcp)
{
	.family = AF_INET,
	.type = SOCK_STREAM,
	.len = 3 * MCE_PAGE,
};

FIXTURE_VARIANT_ADD(socket, udp)
{
	.family = AF_INET,
	.type = SOCK_DGRAM,
	.len = 3000,
};

FIXTURE_VARIANT_ADD(socket, udp_large)
{
	.family = AF_INET,
	.type = SOCK_DGRAM,
	.len = 7 * MCE_PAGE,
};

FIXTURE_VARIANT_ADD(socket, udp6)
{
	.family = AF_INET6,
	.type = SOCK_DGRAM,
	.len = 3000,
};

/* Two sockets that are connected over the loopback. */
static int inet_pair(int family, int type, int fds[2])
{
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} addr = { .sa.sa_family = family };
	socklen_t len = family == AF_INET ? sizeof(addr.in) : sizeof(addr.in6);
	int listener, one = 1;

	if (family == AF_INET)
		addr.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	else
		addr.in6.sin6_addr = in6addr_loopback;
	listener = socket(family, type, 0);
	fds[0] = socket(family, type, 0);
	if (listener < 0 || fds[0] < 0 || bind(listener, &addr.sa, len) ||
	    getsockname(listener, &addr.sa, &len))
		return -1;
	if (type == SOCK_DGRAM) {
		fds[1] = listener;
		return connect(fds[0], &addr.sa, len);
	}
	if (listen(listener, 1) || connect(fds[0], &addr.sa, len))
		return -1;
	fds[1] = accept(listener, NULL, NULL);
	setsockopt(fds[0], IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	close(listener);
	return fds[1] < 0 ? -1 : 0;
}

FIXTURE_SETUP(socket)
{
	struct timeval patience = { .tv_sec = 3 };
	int fds[2], err;

	ASSERT_EQ(0, mce_pin(0));
	if (variant->family == AF_UNIX)
		err = socketpair(AF_UNIX, variant->type, 0, fds);
	else
		err = inet_pair(variant->family, variant->type, fds);
	if (err)
		SKIP(return, "no such sockets");
	self->tx = fds[0];
	self->rx = fds[1];
	/* A test must not hang where an answer stays out. */
	setsockopt(self->rx, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(self->tx, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	setsockopt(self->tx, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	self->src = mmap(NULL, 2 * BUFLEN, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	ASSERT_NE(MAP_FAILED, self->src);
	self->dst = self->src + BUFLEN;
}

FIXTURE_TEARDOWN(socket)
{
	mce_retire();
	close(self->tx);
	close(self->rx);
	munmap(self->src, 2 * BUFLEN);
}

static void say(const char *what, ssize_t ret, int err, long mcs)
{
	if (ret < 0)
		mce_outcome("%s: -%s, %ld #MC", what, mce_errname(err), mcs);
	else
		mce_outcome("%s: %zd bytes, %ld #MC", what, ret, mcs);
}

/* One message that is bad by the time it is received, and a good one behind. */
static void send_bad(struct __test_metadata *const _metadata,
		     struct _test_data_socket *self, size_t len)
{
	__u64 pattern = mce_pattern(self->src, len);

	ASSERT_EQ((ssize_t)len, send(self->tx, self->src, len, 0));
	mce_fill(self->src, len, SEED, 0);
	ASSERT_LE(1, mce_find_line(pattern, &self->phys));
	ASSERT_EQ(0, mce_arm_phys(self->phys));
	ASSERT_EQ((ssize_t)len, send(self->tx, self->src, len, 0));
}

/* The receiver is told of a break: once, and then it is the end of the stream. */
static void stream_is_broken(struct __test_metadata *const _metadata, int tx,
			     int rx, __u8 *dst, size_t most, __u64 phys)
{
	struct mce_watch w;
	ssize_t ret = 0, got = 0;
	char byte = 0;
	int err;

	mce_watch_start(&w);
	do {
		got += ret;
		ret = recv(rx, dst, BUFLEN, 0);
		err = errno;
	} while (ret > 0);
	mce_watch_end(&w, 1);
	say("recv", ret, err, w.mcs);
	EXPECT_LE(got, (ssize_t)most);
	EXPECT_EQ(-1, ret);
	EXPECT_EQ(EIO, err);
	EXPECT_EQ(1, w.mcs);
	EXPECT_EQ(1, w.offlined);
	EXPECT_STREQ("", w.log);
	EXPECT_TRUE(mce_page_offlined(phys));

	mce_watch_start(&w);
	EXPECT_EQ(0, recv(rx, dst, BUFLEN, 0));
	EXPECT_EQ(-1, send(tx, &byte, 1, MSG_NOSIGNAL));
	EXPECT_TRUE(errno == EPIPE || errno == ECONNRESET);
	mce_watch_end(&w, 0);
	EXPECT_EQ(0, w.mcs);
	EXPECT_STREQ("", w.log);
}

static void datagram_is_dropped(struct __test_metadata *const _metadata, int rx,
				__u8 *dst, size_t len, int flags, __u64 phys)
{
	struct mce_watch w;
	ssize_t ret;
	int err;

	memset(dst, 0xee, len);
	mce_watch_start(&w);
	ret = recv(rx, dst, BUFLEN, flags);
	err = errno;
	mce_watch_end(&w, 1);
	say("recv", ret, err, w.mcs);
	EXPECT_EQ(-1, ret);
	EXPECT_EQ(EIO, err);
	EXPECT_EQ(1, w.mcs);
	EXPECT_EQ(1, w.offlined);
	EXPECT_STREQ("", w.log);
	EXPECT_TRUE(mce_page_offlined(phys));

	/* The next one is the next one. */
	mce_watch_start(&w);
	ASSERT_EQ((ssize_t)len, recv(rx, dst, BUFLEN, 0));
	EXPECT_EQ(-1, mce_differs(dst, len, SEED, 0));
	mce_watch_end(&w, 0);
	EXPECT_EQ(0, w.mcs);
}

/*
 * The memory was freed, or so it seems: whoever allocates a lot of the same
 * kind does not get it.
 */
static void never_comes_back(struct __test_metadata *const _metadata,
			     size_t len, __u8 *src, __u8 *dst)
{
	struct mce_watch w;
	int fds[2], round, i, n;

	mce_watch_start(&w);
	for (round = 0; round < 8; round++) {
		ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
		ASSERT_EQ(0, fcntl(fds[0], F_SETFL, O_NONBLOCK));
		mce_fill(src, len, round, 0);
		for (n = 0; send(fds[0], src, len, 0) == (ssize_t)len; n++)
			;
		for (i = 0; i < n; i++) {
			ASSERT_EQ((ssize_t)len, recv(fds[1], dst, len, MSG_WAITALL));
			ASSERT_EQ(-1, mce_differs(dst, len, round, 0));
		}
		close(fds[0]);
		close(fds[1]);
	}
	mce_watch_end(&w, 0);
	EXPECT_EQ(0, w.mcs);
	EXPECT_STREQ("", w.log);
}

TEST_F(socket, recv)
{
	send_bad(_metadata, self, variant->len);
	if (variant->type == SOCK_STREAM)
		stream_is_broken(_metadata, self->tx, self->rx, self->dst,
				 variant->len, self->phys);
	else
		datagram_is_dropped(_metadata, self->rx, self->dst, variant->len,
				    0, self->phys);
	never_comes_back(_metadata, variant->len, self->src, self->dst);
}

/* A look at it is enough. */
TEST_F(socket, peek)
{
	struct mce_watch w;
	ssize_t ret;
	int err;

	send_bad(_metadata, self, variant->len);
	if (variant->type != SOCK_STREAM) {
		datagram_is_dropped(_metadata, self->rx, self->dst, variant->len,
				    MSG_PEEK, self->phys);
		return;
	}
	mce_watch_start(&w);
	ret = recv(self->rx, self->dst, BUFLEN, MSG_PEEK);
	err = errno;
	if (ret > 0) {
		ret = recv(self->rx, self->dst, BUFLEN, 0);
		err = errno;
	}
	mce_watch_end(&w, 1);
	say("peek", ret, err, w.mcs);
	EXPECT_EQ(-1, ret);
	EXPECT_EQ(EIO, err);
	EXPECT_EQ(1, w.mcs);
	EXPECT_EQ(1, w.offlined);
	EXPECT_STREQ("", w.log);
}

#define PIECES	20		/* more than a packet has pages */
#define PIECE	1024

/*
 * Pieces of so many pages that TCP cannot make one packet of them, the last one
 * bad: a call returns what is in front, and the error is for the next one. That
 * all is well is what the end of a stream would say.
 */
static void break_before_end(struct __test_metadata *const _metadata,
			     struct _test_data_socket *self, bool both)
{
	struct mce_file f;
	loff_t off;
	int i, err;

	err = mce_file_open(&f, MCE_FS_EXT4, PIECES, 1, SEED);
	if (err == -ENOENT)
		SKIP(return, "no directory on ext4");
	ASSERT_EQ(0, err);
	for (i = 0; i < PIECES; i++) {
		off = i * MCE_PAGE;
		ASSERT_EQ(PIECE, sendfile(self->tx, f.fd, &off, PIECE));
	}
	usleep(100000);
	ASSERT_EQ(0, mce_arm_file(f.fd, (PIECES - 1) * MCE_PAGE + PIECE / 2, &f.phys));
	if (both)
		ASSERT_EQ(0, shutdown(self->rx, SHUT_WR));
	ASSERT_EQ(0, shutdown(self->tx, SHUT_WR));
	stream_is_broken(_metadata, self->tx, self->rx, self->dst,
			 PIECES * PIECE - PIECE / 2, f.phys);
	mce_file_close(&f);
}

/* The sender has nothing to add, and no way to send it again. */
TEST_F(socket, end)
{
	if (variant->type != SOCK_STREAM)
		SKIP(return, "for streams");
	break_before_end(_metadata, self, false);
}

/* The same when both have said all they had to say. */
TEST_F(socket, closed)
{
	if (variant->type != SOCK_STREAM)
		SKIP(return, "for streams");
	break_before_end(_metadata, self, true);
}

/* The good data in front of it arrives. */
TEST_F(socket, behind_good_data)
{
	ssize_t ret;

	mce_fill(self->src, variant->len, SEED, 0);
	ASSERT_EQ((ssize_t)variant->len,
		  send(self->tx, self->src, variant->len, 0));
	send_bad(_metadata, self, variant->len);
	ret = recv(self->rx, self->dst, variant->len, MSG_WAITALL);
	ASSERT_EQ((ssize_t)variant->len, ret);
	EXPECT_EQ(-1, mce_differs(self->dst, variant->len, SEED, 0));
	if (variant->type == SOCK_STREAM)
		stream_is_broken(_metadata, self->tx, self->rx, self->dst,
				 variant->len, self->phys);
	else
		datagram_is_dropped(_metadata, self->rx, self->dst, variant->len,
				    0, self->phys);
}

/* Pages that were sent without being copied. */
TEST_F(socket, sendfile)
{
	struct mce_file f;
	loff_t off = 0;
	__u64 now;
	int err;

	if (variant->type != SOCK_STREAM)
		SKIP(return, "for streams");
	err = mce_file_open(&f, MCE_FS_EXT4, 4, 1, SEED);
	if (err == -ENOENT)
		SKIP(return, "no directory on ext4");
	ASSERT_EQ(0, err);
	ASSERT_EQ(4 * (ssize_t)MCE_PAGE,
		  sendfile(self->tx, f.fd, &off, 4 * MCE_PAGE));
	ASSERT_EQ(0, mce_arm_file(f.fd, MCE_PAGE + BAD, &f.phys));
	stream_is_broken(_metadata, self->tx, self->rx, self->dst,
			 MCE_PAGE + BAD, f.phys);
	/* The file is whole. */
	ASSERT_EQ(4 * (ssize_t)MCE_PAGE, pread(f.fd, f.buf, 4 * MCE_PAGE, 0));
	EXPECT_EQ(-1, mce_differs(f.buf, 4 * MCE_PAGE, SEED, 0));
	ASSERT_EQ(0, mce_file_phys(f.fd, MCE_PAGE, &now));
	EXPECT_NE(f.phys / MCE_PAGE, now / MCE_PAGE);
	mce_file_close(&f);
}

/*
 * Nothing is bad here: what is looked at is a packet with no data, the end of a
 * stream, behind one that has its data in pages.
 */
TEST_F(socket, end_behind_pages)
{
	struct mce_file f;
	loff_t off = 0;
	int err, unacked = 1, tries;

	if (variant->type != SOCK_STREAM || variant->family == AF_UNIX)
		SKIP(return, "for TCP");
	err = mce_file_open(&f, MCE_FS_EXT4, 4, 1, SEED);
	if (err == -ENOENT)
		SKIP(return, "no directory on ext4");
	ASSERT_EQ(0, err);
	ASSERT_EQ(4 * (ssize_t)MCE_PAGE,
		  sendfile(self->tx, f.fd, &off, 4 * MCE_PAGE));
	/* As long as the sender has it too, the two are not made one. */
	for (tries = 0; tries < 100 && unacked; tries++) {
		usleep(10000);
		ASSERT_EQ(0, ioctl(self->tx, SIOCOUTQ, &unacked));
	}
	ASSERT_EQ(0, unacked);
	ASSERT_EQ(0, shutdown(self->tx, SHUT_WR));
	ASSERT_EQ(4 * (ssize_t)MCE_PAGE,
		  recv(self->rx, f.buf, 4 * MCE_PAGE, MSG_WAITALL));
	EXPECT_EQ(-1, mce_differs(f.buf, 4 * MCE_PAGE, SEED, 0));
	EXPECT_EQ(0, recv(self->rx, f.buf, 1, 0));
	mce_file_close(&f);
}

TEST_F(socket, vmsplice)
{
	struct iovec iov = { self->src, 2 * MCE_PAGE };
	struct mce_sigbus sb;
	int fds[2];

	if (variant->type != SOCK_STREAM)
		SKIP(return, "for streams");
	mce_fill(self->src, 2 * MCE_PAGE, SEED, 0);
	ASSERT_EQ(0, pipe(fds));
	ASSERT_EQ(2 * (ssize_t)MCE_PAGE, vmsplice(fds[1], &iov, 1, 0));
	ASSERT_EQ(2 * (ssize_t)MCE_PAGE, splice(fds[0], NULL, self->tx, NULL,
						2 * MCE_PAGE, 0));
	ASSERT_EQ(0, mce_arm(self->src + MCE_PAGE + BAD, &self->phys));
	stream_is_broken(_metadata, self->tx, self->rx, self->dst,
			 MCE_PAGE + BAD, self->phys);
	EXPECT_FALSE(mce_load(self->src + MCE_PAGE + BAD, NULL, &sb));
	EXPECT_EQ(BUS_MCEERR_AR, sb.code);
	EXPECT_TRUE(mce_load(self->src, NULL, NULL));
	close(fds[0]);
	close(fds[1]);
}

/* Out of the socket into a pipe, as references; the pipe's reader finds it. */
TEST_F(socket, splice)
{
	struct mce_watch w;
	ssize_t ret, got = 0;
	int fds[2], err;

	if (variant->type != SOCK_STREAM)
		SKIP(return, "for streams");
	ASSERT_EQ(0, pipe2(fds, O_NONBLOCK));
	send_bad(_metadata, self, variant->len);
	mce_watch_start(&w);
	ret = splice(self->rx, NULL, fds[1], NULL, 2 * variant->len, 0);
	err = errno;
	if (ret > 0) {
		for (; (ret = read(fds[0], self->dst, BUFLEN)) > 0; got += ret)
			;
		err = errno;
	}
	mce_watch_end(&w, 1);
	say("splice, read", ret, err, w.mcs);
	EXPECT_LE(got, (ssize_t)variant->len);
	EXPECT_EQ(-1, ret);
	EXPECT_EQ(EIO, err);
	EXPECT_EQ(1, w.mcs);
	EXPECT_EQ(1, w.offlined);
	EXPECT_STREQ("", w.log);
	close(fds[0]);
	close(fds[1]);
	never_comes_back(_metadata, variant->len, self->src, self->dst);
}

/*
 * Zero-copy data that stays on this machine is copied after all, where nobody
 * waits for an error: the packet is lost, and TCP sends it again in vain. Who
 * owns the memory hears of it.
 */
TEST_F(socket, zerocopy)
{
	struct mce_sigbus sb;
	struct mce_watch w;
	int one = 1, err;
	ssize_t ret;

	if (variant->family != AF_INET)
		SKIP(return, "for TCP and UDP");
	ASSERT_EQ(0, setsockopt(self->tx, SOL_SOCKET, SO_ZEROCOPY, &one, sizeof(one)));
	mce_fill(self->src, 4 * MCE_PAGE, SEED, 0);
	ASSERT_EQ(0, mce_arm(self->src + MCE_PAGE + BAD, &self->phys));
	mce_watch_start(&w);
	ret = send(self->tx, self->src, 4 * MCE_PAGE, MSG_ZEROCOPY | MSG_NOSIGNAL);
	EXPECT_EQ(4 * (ssize_t)MCE_PAGE, ret);
	ret = recv(self->rx, self->dst, 4 * MCE_PAGE, MSG_WAITALL);
	err = errno;
	mce_watch_end(&w, 1);
	say("zerocopy, recv", ret, err, w.mcs);
	EXPECT_LE(ret, (ssize_t)(MCE_PAGE + BAD));
	EXPECT_TRUE(ret >= 0 || err == EAGAIN || err == EIO);
	EXPECT_EQ(1, w.mcs);
	EXPECT_EQ(1, w.offlined);
	EXPECT_STREQ("", w.log);
	EXPECT_FALSE(mce_load(self->src + MCE_PAGE + BAD, NULL, &sb));
	EXPECT_EQ(BUS_MCEERR_AR, sb.code);
	EXPECT_TRUE(mce_load(self->src, NULL, NULL));
}

/* A packet socket on the loopback, whose packets come in a ring. */
static __u8 *ring_open(int *fd)
{
	const struct tpacket_req req = {
		.tp_block_size = RING_LEN / 4, .tp_block_nr = 4,
		.tp_frame_size = RING_LEN / 4, .tp_frame_nr = 4,
	};
	struct sockaddr_ll addr = {
		.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP),
		.sll_ifindex = if_nametoindex("lo"),
	};
	int version = TPACKET_V2;
	__u8 *ring;

	*fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (*fd < 0 ||
	    setsockopt(*fd, SOL_PACKET, PACKET_VERSION, &version, sizeof(version)) ||
	    setsockopt(*fd, SOL_PACKET, PACKET_RX_RING, &req, sizeof(req)))
		return NULL;
	ring = mmap(NULL, RING_LEN, PROT_READ | PROT_WRITE, MAP_SHARED, *fd, 0);
	if (ring == MAP_FAILED || bind(*fd, (struct sockaddr *)&addr, sizeof(addr)))
		return NULL;
	return ring;
}

/*
 * Who captures packets gets a copy of each, which the network stack makes, and
 * whose failure is not the program's that sends.
 */
TEST_F(socket, captured)
{
	const struct tpacket2_hdr *hdr;
	struct mce_file f;
	struct mce_watch w;
	loff_t off = 0;
	ssize_t ret;
	__u8 *ring;
	int fd, err;

	if (variant->family != AF_INET || variant->type != SOCK_STREAM)
		SKIP(return, "for TCP");
	err = mce_file_open(&f, MCE_FS_EXT4, 2, 1, SEED);
	if (err == -ENOENT)
		SKIP(return, "no directory on ext4");
	ASSERT_EQ(0, err);
	ASSERT_EQ(0, mce_arm_file(f.fd, MCE_PAGE + BAD, &f.phys));
	ring = ring_open(&fd);
	if (!ring)
		SKIP(return, "no packet sockets");
	hdr = (void *)ring;
	mce_watch_start(&w);
	ASSERT_EQ(2 * (ssize_t)MCE_PAGE, sendfile(self->tx, f.fd, &off, 2 * MCE_PAGE));
	mce_watch_end(&w, 1);
	mce_outcome("captured: %u of %u bytes, %ld #MC", hdr->tp_snaplen, hdr->tp_len,
		    w.mcs);
	EXPECT_TRUE(hdr->tp_status & TP_STATUS_USER);
	EXPECT_LE(2 * MCE_PAGE, hdr->tp_len);
	EXPECT_EQ(0, hdr->tp_snaplen);
	EXPECT_EQ(1, w.mcs);
	EXPECT_EQ(1, w.offlined);
	EXPECT_STREQ("", w.log);
	EXPECT_TRUE(mce_page_offlined(f.phys));

	/* It was good when it was sent, so the receiver has to be told. */
	mce_watch_start(&w);
	ret = recv(self->rx, self->dst, 2 * MCE_PAGE, MSG_WAITALL);
	err = errno;
	say("recv", ret, err, w.mcs);
	EXPECT_LE(ret, (ssize_t)(MCE_PAGE + BAD));
	EXPECT_TRUE(ret >= 0 || err == EIO);
	mce_watch_end(&w, 0);
	EXPECT_LE(w.mcs, 1);
	EXPECT_STREQ("", w.log);
	/* The file is whole. */
	ASSERT_EQ(2 * (ssize_t)MCE_PAGE, pread(f.fd, f.buf, 2 * MCE_PAGE, 0));
	EXPECT_EQ(-1, mce_differs(f.buf, 2 * MCE_PAGE, SEED, 0));
	munmap(ring, RING_LEN);
	close(fd);
	mce_file_close(&f);
}

/* A network device without any help for checksums, and what comes in there. */
static int tun_open(void)
{
	struct sockaddr_in *in;
	struct ifreq ifr = { .ifr_flags = IFF_TUN | IFF_NO_PI };
	int tun = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	int s = socket(AF_INET, SOCK_DGRAM, 0);

	if (tun < 0 || ioctl(tun, TUNSETIFF, &ifr))
		return -1;
	in = (struct sockaddr_in *)&ifr.ifr_addr;
	in->sin_family = AF_INET;
	in->sin_addr.s_addr = htonl(0x0a090901);		/* 10.9.9.1 */
	if (ioctl(s, SIOCSIFADDR, &ifr))
		return -1;
	in->sin_addr.s_addr = htonl(0xffffff00);
	if (ioctl(s, SIOCSIFNETMASK, &ifr))
		return -1;
	ifr.ifr_flags = IFF_UP | IFF_RUNNING;
	if (ioctl(s, SIOCSIFFLAGS, &ifr))
		return -1;
	close(s);
	return tun;
}

static __u32 sum16(const void *buf, size_t len, __u32 sum)
{
	const __u8 *p = buf;

	for (; len > 1; len -= 2, p += 2)
		sum += p[0] << 8 | p[1];
	if (len)
		sum += p[0] << 8;
	return sum;
}

static __u16 fold(__u32 sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons(~sum);
}

/* A UDP packet from 10.9.9.2 to 10.9.9.1. */
static size_t make_packet(__u8 *p, const void *data, size_t len, int port)
{
	struct iphdr ip = {
		.version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_UDP,
		.tot_len = htons(sizeof(ip) + sizeof(struct udphdr) + len),
		.saddr = htonl(0x0a090902), .daddr = htonl(0x0a090901),
	};
	struct udphdr udp = {
		.source = htons(9), .dest = htons(port),
		.len = htons(sizeof(udp) + len),
	};
	__u32 sum;

	ip.check = fold(sum16(&ip, sizeof(ip), 0));
	sum = sum16(&ip.saddr, 8, IPPROTO_UDP + sizeof(udp) + len);
	sum = sum16(&udp, sizeof(udp), sum);
	udp.check = fold(sum16(data, len, sum));
	memcpy(p, &ip, sizeof(ip));
	memcpy(p + sizeof(ip), &udp, sizeof(udp));
	memcpy(p + sizeof(ip) + sizeof(udp), data, len);
	return sizeof(ip) + sizeof(udp) + len;
}

/* So long that no whole word of the packet reaches into its last line. */
#define TAIL_LEN	2983

/*
 * The checksum is verified when the packet is received. If the reader wants
 * only a part of it, that is done before anything is copied; else on the way.
 */
static void checksummed(struct __test_metadata *const _metadata, size_t len,
			size_t want, int expected)
{
	struct timeval patience = { .tv_usec = 300000 };
	struct sockaddr_in addr = { .sin_family = AF_INET };
	socklen_t addrlen = sizeof(addr);
	static __u8 data[4096], packet[8192], buf[4096];
	struct mce_watch w;
	__u64 pattern, phys;
	int tun, rx, err, i;
	ssize_t ret;
	size_t n;

	if (mce_symbol("do_csum"))
		SKIP(return, "the generic checksum of a KASAN kernel is not recovered");
	ASSERT_EQ(0, mce_pin(0));
	tun = tun_open();
	if (tun < 0)
		SKIP(return, "no tun device");
	rx = socket(AF_INET, SOCK_DGRAM, 0);
	addr.sin_addr.s_addr = htonl(0x0a090901);
	ASSERT_EQ(0, bind(rx, (struct sockaddr *)&addr, sizeof(addr)));
	ASSERT_EQ(0, getsockname(rx, (struct sockaddr *)&addr, &addrlen));
	setsockopt(rx, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));

	pattern = mce_pattern(data, len);
	mce_pattern(data + len - 16, 16);
	n = make_packet(packet, data, len, ntohs(addr.sin_port));
	ASSERT_EQ((ssize_t)n, write(tun, packet, n));
	memset(packet, 0, sizeof(packet));
	if (len == TAIL_LEN) {
		/* More than the kernel has of our vector registers. */
		ASSERT_LE(1, mce_find_copy(data + len - 300, 300, &phys));
		phys += 300 - 1;
		ASSERT_GT((len + sizeof(struct udphdr)) % 8, phys % MCE_LINE);
	} else {
		ASSERT_LE(1, mce_find_line(pattern, &phys));
	}
	memset(data, 0, sizeof(data));
	ASSERT_EQ(0, mce_arm_phys(phys));
	mce_watch_start(&w);
	ret = recv(rx, buf, want, 0);
	err = errno;
	mce_watch_end(&w, 1);
	say("recv", ret, err, w.mcs);
	EXPECT_EQ(-1, ret);
	EXPECT_EQ(expected, err);
	EXPECT_EQ(1, w.mcs);
	EXPECT_EQ(1, w.offlined);
	EXPECT_STREQ("", w.log);
	EXPECT_TRUE(mce_page_offlined(phys));

	/* Packets that are good come through, and none gets the bad memory. */
	mce_watch_start(&w);
	for (i = 0; i < 200; i++) {
		mce_fill(data, len, SEED, i);
		n = make_packet(packet, data, len, ntohs(addr.sin_port));
		ASSERT_EQ((ssize_t)n, write(tun, packet, n));
		ASSERT_EQ((ssize_t)len, recv(rx, buf, sizeof(buf), 0));
		ASSERT_EQ(-1, mce_differs(buf, len, SEED, i));
	}
	mce_watch_end(&w, 0);
	EXPECT_EQ(0, w.mcs);
	mce_retire();
	close(tun);
	close(rx);
}

/* A wrong checksum: the packet counts as damaged on its way. */
TEST(checksum)
{
	checksummed(_metadata, 3000, 16, EAGAIN);
}

/* What is left of the packet is less than a word. */
TEST(checksum_of_last_bytes)
{
	checksummed(_metadata, TAIL_LEN, 16, EAGAIN);
}

TEST(checksum_and_copy)
{
	checksummed(_metadata, 3000, 4096, EIO);
}

#include "mce_main.h"
