// SPDX-License-Identifier: GPL-2.0
/*
 * Kernel threads that work on a program's memory: vhost-net.
 *
 * The thread never returns to user mode, so nothing that waits for that would
 * ever happen. The packet that cannot be read is dropped, the page leaves
 * service at once, and the thread goes on: with the next packet, and with the
 * next bad page, now or days later.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/vhost.h>
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../kselftest_harness.h"
#include "mce_lib.h"

/* Newer than the headers of some */
#ifndef VHOST_SET_FORK_FROM_OWNER
#define VHOST_SET_FORK_FROM_OWNER	_IOW(VHOST_VIRTIO, 0x84, __u8)
#endif

#define SEED	0xa00a
#define RING	16
#define BUFS	RING
#define PACKET	1000			/* payload, behind the headers */
#define HDR	10			/* struct virtio_net_hdr */
#define FRAME	(HDR + ETH_HLEN + PACKET)
#define PROTO	0x88b5			/* for experiments */
#define RX	0
#define TX	1

struct queue {
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	int kick;
	int err;
};

FIXTURE(vhost)
{
	__u8 *mem;		/* the guest's */
	__u8 *bufs;		/* a page for each descriptor */
	struct queue q[2];
	char name[IFNAMSIZ];
	int tap;
	int vhost;
	int packet;
};

FIXTURE_VARIANT(vhost)
{
	bool batch;	/* packets are sent in batches, or one by one */
	bool kthread;	/* by a kernel thread that borrows the mm, as of old */
};

FIXTURE_VARIANT_ADD(vhost, batched)
{
	.batch = true,
};

FIXTURE_VARIANT_ADD(vhost, single)
{
	.batch = false,
};

FIXTURE_VARIANT_ADD(vhost, kthread)
{
	.batch = true,
	.kthread = true,
};

#define MEM_PAGES	(BUFS + 8)

static int set_up_queue(int vhost, struct queue *q, int index, __u8 *at,
			int backend)
{
	struct vhost_vring_state num = { index, RING }, base = { index, 0 };
	struct vhost_vring_file file = { .index = index };
	struct vhost_vring_addr addr = { .index = index };

	q->desc = (void *)at;
	q->avail = (void *)(at + MCE_PAGE);
	q->used = (void *)(at + 2 * MCE_PAGE);
	addr.desc_user_addr = (unsigned long)q->desc;
	addr.avail_user_addr = (unsigned long)q->avail;
	addr.used_user_addr = (unsigned long)q->used;
	if (ioctl(vhost, VHOST_SET_VRING_NUM, &num) ||
	    ioctl(vhost, VHOST_SET_VRING_BASE, &base) ||
	    ioctl(vhost, VHOST_SET_VRING_ADDR, &addr))
		return -1;
	q->kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	q->err = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	file.fd = q->kick;
	if (ioctl(vhost, VHOST_SET_VRING_KICK, &file))
		return -1;
	file.fd = q->err;
	if (ioctl(vhost, VHOST_SET_VRING_ERR, &file))
		return -1;
	file.fd = backend;
	return ioctl(vhost, VHOST_NET_SET_BACKEND, &file);
}

FIXTURE_SETUP(vhost)
{
	struct {
		struct vhost_memory m;
		struct vhost_memory_region r;
	} table = { .m = { .nregions = 1 } };
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
	struct sockaddr_ll ll = { .sll_family = AF_PACKET };
	__u64 features = 0;
	__u8 kthread = 0;	/* VHOST_FORK_OWNER_KTHREAD */
	int sndbuf = 1 << 20, sock, i;

	self->vhost = -1;
	self->packet = -1;
	ASSERT_EQ(0, mce_pin(0));
	self->mem = mmap(NULL, MEM_PAGES * MCE_PAGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	ASSERT_NE(MAP_FAILED, self->mem);
	self->bufs = self->mem + 8 * MCE_PAGE;

	self->tap = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (self->tap < 0)
		SKIP(return, "no /dev/net/tun");
	ASSERT_EQ(0, ioctl(self->tap, TUNSETIFF, &ifr));
	snprintf(self->name, sizeof(self->name), "%s", ifr.ifr_name);
	/* With a limit to what may be under way, there are no batches. */
	if (!variant->batch)
		ASSERT_EQ(0, ioctl(self->tap, TUNSETSNDBUF, &sndbuf));
	sock = socket(AF_INET, SOCK_DGRAM, 0);
	ASSERT_EQ(0, ioctl(sock, SIOCGIFFLAGS, &ifr));
	ifr.ifr_flags |= IFF_UP;
	ASSERT_EQ(0, ioctl(sock, SIOCSIFFLAGS, &ifr));
	close(sock);
	self->packet = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK,
			      htons(PROTO));
	if (self->packet < 0)
		SKIP(return, "no packet sockets");
	ll.sll_protocol = htons(PROTO);
	ll.sll_ifindex = if_nametoindex(self->name);
	ASSERT_EQ(0, bind(self->packet, (void *)&ll, sizeof(ll)));

	self->vhost = open("/dev/vhost-net", O_RDWR | O_CLOEXEC);
	if (self->vhost < 0)
		SKIP(return, "no /dev/vhost-net");
	if (variant->kthread &&
	    ioctl(self->vhost, VHOST_SET_FORK_FROM_OWNER, &kthread))
		SKIP(return, "no CONFIG_VHOST_ENABLE_FORK_OWNER_CONTROL");
	ASSERT_EQ(0, ioctl(self->vhost, VHOST_SET_OWNER));
	ASSERT_EQ(0, ioctl(self->vhost, VHOST_SET_FEATURES, &features));
	table.r.guest_phys_addr = (unsigned long)self->mem;
	table.r.userspace_addr = (unsigned long)self->mem;
	table.r.memory_size = MEM_PAGES * MCE_PAGE;
	ASSERT_EQ(0, ioctl(self->vhost, VHOST_SET_MEM_TABLE, &table));
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, set_up_queue(self->vhost, &self->q[i], i,
					  self->mem + i * 3 * MCE_PAGE,
					  self->tap));
}

FIXTURE_TEARDOWN(vhost)
{
	mce_retire();
	close(self->vhost);
	close(self->tap);
	close(self->packet);
	munmap(self->mem, MEM_PAGES * MCE_PAGE);
}

/* A frame that can be told from others, in buffer @i of the guest. */
static void make_frame(__u8 *buf, __u64 seed)
{
	struct ethhdr *eth = (void *)(buf + HDR);

	memset(buf, 0, HDR + ETH_HLEN);
	memset(eth->h_dest, 0xff, ETH_ALEN);
	eth->h_source[0] = 2;
	eth->h_proto = htons(PROTO);
	mce_fill(buf + HDR + ETH_HLEN, PACKET, seed, 0);
}

/* Make buffer @i available, without telling. */
static void queue_buf(struct queue *q, unsigned int i, __u8 *buf, size_t len,
		      bool in)
{
	unsigned short idx = q->avail->idx;

	q->desc[i].addr = (unsigned long)buf;
	q->desc[i].len = len;
	q->desc[i].flags = in ? VRING_DESC_F_WRITE : 0;
	q->avail->ring[idx % RING] = i;
	__atomic_store_n(&q->avail->idx, idx + 1, __ATOMIC_RELEASE);
}

static void kick(struct queue *q)
{
	__u64 one = 1;

	if (write(q->kick, &one, sizeof(one)) != sizeof(one))
		abort();
}

/* Wait until the other side is done with everything up to @idx. */
static bool wait_used(struct queue *q, unsigned short idx, int ms)
{
	for (; ms > 0; ms--) {
		if (__atomic_load_n(&q->used->idx, __ATOMIC_ACQUIRE) == idx)
			return true;
		usleep(1000);
	}
	return false;
}

/* The next frame on the interface: is it the one with this seed? */
static int next_frame(int packet, __u64 seed)
{
	struct pollfd pfd = { .fd = packet, .events = POLLIN };
	__u8 frame[2048];
	ssize_t n;

	if (poll(&pfd, 1, 1000) != 1)
		return 0;
	n = recv(packet, frame, sizeof(frame), 0);
	if (n != ETH_HLEN + PACKET)
		return -1;
	return mce_differs(frame + ETH_HLEN, PACKET, seed, 0) < 0 ? 1 : -1;
}

static bool no_frame(int packet)
{
	struct pollfd pfd = { .fd = packet, .events = POLLIN };

	return !poll(&pfd, 1, 100);
}

/* The guest touches what was lost. */
static void check_lost(struct __test_metadata *const _metadata,
		       const __u8 *addr, __u64 phys)
{
	struct mce_sigbus sb;
	struct mce_watch w;

	EXPECT_TRUE(mce_page_offlined(phys));
	mce_watch_start(&w);
	EXPECT_FALSE(mce_load(addr, NULL, &sb));
	mce_watch_end(&w, 0);
	EXPECT_EQ(0, w.mcs);
	EXPECT_EQ(1, sb.count);
	EXPECT_EQ(BUS_MCEERR_AR, sb.code);
	EXPECT_TRUE(mce_sigbus_covers(&sb, addr));
}

TEST_F(vhost, tx)
{
	struct queue *q = &self->q[TX];
	struct mce_watch w;
	unsigned short used = 0;
	unsigned int i;
	__u8 *buf;
	__u64 phys;

	/* Three bad pages, one after the other, each amid good ones. */
	for (i = 0; i < 9; i++) {
		bool bad = i % 3 == 1;

		buf = self->bufs + i * MCE_PAGE;
		make_frame(buf, SEED + i);
		if (bad)
			ASSERT_EQ(0, mce_arm(buf + 512, &phys));
		mce_watch_start(&w);
		queue_buf(q, i, buf, FRAME, false);
		kick(q);
		EXPECT_TRUE(wait_used(q, ++used, 3000)) {
			TH_LOG("packet %u is stuck", i);
		}
		EXPECT_EQ(!bad, bad ? !no_frame(self->packet) :
				      next_frame(self->packet, SEED + i));
		mce_watch_end(&w, bad);
		if (bad)
			mce_outcome("vhost tx of a bad page: %s, %ld #MC, %ld pages offlined",
				    q->used->idx == used ? "dropped" : "STUCK",
				    w.mcs, w.offlined);
		EXPECT_EQ(bad, w.mcs);
		EXPECT_EQ(bad, w.offlined);
		EXPECT_STREQ("", w.log);
		if (bad)
			check_lost(_metadata, buf + 512, phys);
	}
}

/* The header, which is read by another piece of code. */
TEST_F(vhost, tx_header)
{
	struct queue *q = &self->q[TX];
	struct mce_watch w;
	__u64 phys;

	make_frame(self->bufs, SEED);
	make_frame(self->bufs + MCE_PAGE, SEED + 1);
	ASSERT_EQ(0, mce_arm(self->bufs, &phys));
	mce_watch_start(&w);
	queue_buf(q, 0, self->bufs, FRAME, false);
	queue_buf(q, 1, self->bufs + MCE_PAGE, FRAME, false);
	kick(q);
	EXPECT_TRUE(wait_used(q, 2, 3000));
	EXPECT_EQ(1, next_frame(self->packet, SEED + 1));
	EXPECT_TRUE(no_frame(self->packet));
	mce_watch_end(&w, 1);
	mce_outcome("vhost tx of a bad header: %ld #MC", w.mcs);
	EXPECT_EQ(1, w.mcs);
	EXPECT_EQ(1, w.offlined);
	EXPECT_STREQ("", w.log);
	check_lost(_metadata, self->bufs, phys);
}

/* Many packets in a row from the same page: none is looked at twice. */
TEST_F(vhost, tx_same_page)
{
	struct queue *q = &self->q[TX];
	struct mce_watch w;
	__u64 phys;
	int i;

	make_frame(self->bufs, SEED);
	make_frame(self->bufs + MCE_PAGE, SEED + 1);
	ASSERT_EQ(0, mce_arm(self->bufs + 512, &phys));
	mce_watch_start(&w);
	for (i = 0; i < RING - 1; i++)
		queue_buf(q, i, self->bufs, FRAME, false);
	queue_buf(q, i, self->bufs + MCE_PAGE, FRAME, false);
	kick(q);
	EXPECT_TRUE(wait_used(q, RING, 5000));
	EXPECT_EQ(1, next_frame(self->packet, SEED + 1));
	EXPECT_TRUE(no_frame(self->packet));
	mce_watch_end(&w, 1);
	mce_outcome("vhost tx, %d times the same bad page: %ld #MC", RING - 1,
		    w.mcs);
	EXPECT_EQ(1, w.mcs);
	EXPECT_EQ(1, w.offlined);
	EXPECT_STREQ("", w.log);
	check_lost(_metadata, self->bufs + 512, phys);
}

static ssize_t send_to_tap(int packet, const char *name, __u64 seed)
{
	struct sockaddr_ll ll = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(PROTO),
		.sll_ifindex = if_nametoindex(name),
		.sll_halen = ETH_ALEN,
	};
	__u8 frame[HDR + ETH_HLEN + PACKET];

	make_frame(frame, seed);
	return sendto(packet, frame + HDR, ETH_HLEN + PACKET, 0, (void *)&ll,
		      sizeof(ll));
}

static bool expect_rx(struct queue *q, unsigned short *used, __u8 *buf,
		      __u64 seed)
{
	if (!wait_used(q, *used + 1, 3000))
		return false;
	(*used)++;
	return mce_differs(buf + HDR + ETH_HLEN, PACKET, seed, 0) < 0;
}

/*
 * What the thread receives goes to a page that is bad: it stores there, which
 * meets no poison. The packets before and after are whole.
 */
TEST_F(vhost, rx)
{
	struct queue *q = &self->q[RX];
	unsigned short used = 0;
	struct mce_watch w;
	int i;

	mce_watch_start(&w);
	for (i = 0; i < 3; i++) {
		if (i == 1)
			ASSERT_EQ(0, mce_arm(self->bufs + i * MCE_PAGE + 2048,
					     NULL));
		queue_buf(q, i, self->bufs + i * MCE_PAGE, 2000, true);
		kick(q);
		ASSERT_EQ(ETH_HLEN + PACKET,
			  send_to_tap(self->packet, self->name, SEED + i));
		EXPECT_TRUE(expect_rx(q, &used, self->bufs + i * MCE_PAGE,
				      SEED + i));
	}
	mce_watch_end(&w, 0);
	EXPECT_EQ(0, w.mcs);
	EXPECT_STREQ("", w.log);
}

/*
 * The thread reads where to put a packet from a table in the guest's memory.
 * That is gone: the queue reports an error, the other one works on.
 */
TEST_F(vhost, rx_table)
{
	struct queue *rx = &self->q[RX], *tx = &self->q[TX];
	struct pollfd pfd = { .fd = rx->err, .events = POLLIN };
	struct mce_watch w;
	__u64 phys;

	queue_buf(rx, 0, self->bufs, 2000, true);
	ASSERT_EQ(0, mce_arm(rx->desc, &phys));
	mce_watch_start(&w);
	kick(rx);
	ASSERT_EQ(ETH_HLEN + PACKET,
		  send_to_tap(self->packet, self->name, SEED));
	EXPECT_EQ(1, poll(&pfd, 1, 3000));
	mce_watch_end(&w, 1);
	mce_outcome("vhost rx, bad table: %s, %ld #MC",
		    pfd.revents ? "error reported" : "NO error", w.mcs);
	EXPECT_EQ(1, w.mcs);
	EXPECT_EQ(1, w.offlined);
	EXPECT_STREQ("", w.log);
	EXPECT_EQ(0, rx->used->idx);
	check_lost(_metadata, (__u8 *)rx->desc, phys);

	make_frame(self->bufs + MCE_PAGE, SEED + 1);
	queue_buf(tx, 0, self->bufs + MCE_PAGE, FRAME, false);
	kick(tx);
	EXPECT_TRUE(wait_used(tx, 1, 3000));
}

/* A program that sends through the tap itself. */
TEST_F(vhost, tun_write)
{
	struct mce_watch w;
	ssize_t ret;
	__u64 phys;
	int err;

	make_frame(self->bufs, SEED);
	make_frame(self->bufs + MCE_PAGE, SEED + 1);
	ASSERT_EQ(0, mce_arm(self->bufs + 512, &phys));
	mce_watch_start(&w);
	ret = write(self->tap, self->bufs, FRAME);
	err = errno;
	mce_watch_end(&w, 1);
	mce_outcome("write(tap): %zd %s, %ld #MC", ret,
		    ret < 0 ? mce_errname(err) : "", w.mcs);
	EXPECT_EQ(-1, ret);
	EXPECT_EQ(EFAULT, err);
	EXPECT_EQ(1, w.mcs);
	EXPECT_EQ(1, w.offlined);
	EXPECT_STREQ("", w.log);
	EXPECT_EQ(FRAME, write(self->tap, self->bufs + MCE_PAGE, FRAME));
	EXPECT_EQ(1, next_frame(self->packet, SEED + 1));
	check_lost(_metadata, self->bufs + 512, phys);
}

#include "mce_main.h"
