// SPDX-License-Identifier: GPL-2.0
/*
 * The copy routines that system calls do not reach in an obvious way: the
 * recoverable copy of copy-on-write, which must work on every CPU, strings from
 * user memory, and copies that bypass the cache.
 *
 * For kernels that are known to need more than one machine check,
 * $MCE_EXPECT_MCS has the number.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../kselftest_harness.h"
#include "mce_lib.h"

#define SEED	0x2020
#define NPAGES	4

static __u8 *anon_pages(void)
{
	__u8 *buf = mmap(NULL, NPAGES * MCE_PAGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (buf != MAP_FAILED)
		mce_fill(buf, NPAGES * MCE_PAGE, SEED, 0);
	return buf;
}

/* A page that is gone: SIGBUS on touch, without another machine check. */
static void check_gone(struct __test_metadata *const _metadata,
		       struct mce_watch *w, const __u8 *bad, __u64 old)
{
	struct mce_sigbus sb;

	EXPECT_EQ(mce_expected("MCE_EXPECT_MCS", 1), w->mcs);
	EXPECT_EQ(1, w->offlined);
	EXPECT_STREQ("", w->log);
	EXPECT_TRUE(mce_page_offlined(old));

	mce_watch_start(w);
	EXPECT_FALSE(mce_load(bad, NULL, &sb));
	mce_watch_end(w, 0);
	EXPECT_EQ(0, w->mcs);
	EXPECT_EQ(1, sb.count);
	EXPECT_EQ(BUS_MCEERR_AR, sb.code);
	EXPECT_TRUE(mce_sigbus_covers(&sb, bad));
}

/* --- copy_mc_to_kernel() --------------------------------------------------- */

static void store_byte(void *arg)
{
	asm volatile("movb $1, (%0)" : : "r" (arg) : "memory");
}

FIXTURE(cow)
{
	__u8 *buf;
};

FIXTURE_VARIANT(cow)
{
	size_t line;
};

FIXTURE_VARIANT_ADD(cow, first_line)
{
	.line = 0,
};

FIXTURE_VARIANT_ADD(cow, middle)
{
	.line = 31 * MCE_LINE,
};

FIXTURE_VARIANT_ADD(cow, last_line)
{
	.line = MCE_PAGE - MCE_LINE,
};

FIXTURE_SETUP(cow)
{
	ASSERT_EQ(0, mce_pin(0));
	self->buf = anon_pages();
	ASSERT_NE(MAP_FAILED, self->buf);
}

FIXTURE_TEARDOWN(cow)
{
	mce_retire();
	munmap(self->buf, NPAGES * MCE_PAGE);
}

/* The child writes to a page that it shares, and which cannot be copied. */
TEST_F(cow, once)
{
	__u8 *page = self->buf + MCE_PAGE, *bad = page + variant->line;
	struct mce_sigbus sb = { 0 };
	struct mce_watch w;
	int told[2];
	__u64 old;
	pid_t pid;

	ASSERT_EQ(0, pipe(told));
	ASSERT_EQ(0, mce_arm(bad, &old));
	mce_watch_start(&w);
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		mce_guard(store_byte, page + 1000, &sb);
		if (write(told[1], &sb, sizeof(sb)) != sizeof(sb))
			_exit(1);
		_exit(0);
	}
	ASSERT_EQ(pid, waitpid(pid, NULL, 0));
	ASSERT_EQ(sizeof(sb), read(told[0], &sb, sizeof(sb)));
	mce_watch_end(&w, 1);
	mce_outcome("child: %s, %ld #MC",
		    sb.count ? mce_codename(sb.code) : "no signal", w.mcs);
	EXPECT_EQ(1, sb.count);
	EXPECT_EQ(BUS_MCEERR_AR, sb.code);
	EXPECT_TRUE(mce_sigbus_covers(&sb, page + 1000));
	check_gone(_metadata, &w, bad, old);
	close(told[0]);
	close(told[1]);
}

/* --- strncpy_from_user() ----------------------------------------------------- */

/*
 * Open the file whose name begins @front bytes in front of the bad line, at the
 * end of a page or within one, and is @len bytes long. Strings are read in
 * words, so a word may meet the line although the name ends in front of it.
 */
FIXTURE(path)
{
	__u8 *buf;
};

FIXTURE_VARIANT(path)
{
	size_t line;		/* offset of the bad line */
	size_t front;
	size_t len;
};

FIXTURE_VARIANT_ADD(path, in_line)
{
	.line = MCE_PAGE,
	.front = 0,
	.len = 9,
};

FIXTURE_VARIANT_ADD(path, into_line)
{
	.line = MCE_PAGE + 1024,
	.front = 29,
	.len = 40,
};

FIXTURE_VARIANT_ADD(path, into_page)
{
	.line = MCE_PAGE,
	.front = 13,
	.len = 40,
};

/* The word that has the end goes on in a page that the name does not need. */
FIXTURE_VARIANT_ADD(path, ends_before_page)
{
	.line = MCE_PAGE,
	.front = 13,
	.len = 10,
};

FIXTURE_SETUP(path)
{
	ASSERT_EQ(0, mce_pin(0));
	self->buf = anon_pages();
	ASSERT_NE(MAP_FAILED, self->buf);
}

FIXTURE_TEARDOWN(path)
{
	mce_retire();
	munmap(self->buf, NPAGES * MCE_PAGE);
}

TEST_F(path, once)
{
	__u8 *bad = self->buf + variant->line, *name = bad - variant->front;
	struct mce_watch w;
	int fd, err;
	__u64 old;

	/* "/////dev/null" of the right length */
	memset(name, '/', variant->len);
	memcpy(name + variant->len - 8, "dev/null", 9);
	ASSERT_EQ(0, mce_arm(bad, &old));
	mce_watch_start(&w);
	fd = open((char *)name, O_RDONLY);
	err = errno;
	mce_watch_end(&w, 1);
	mce_outcome("open(2): %s%s, %ld #MC", fd < 0 ? "-" : "done",
		    fd < 0 ? mce_errname(err) : "", w.mcs);
	if (variant->len < variant->front) {
		EXPECT_GE(fd, 0);
	} else {
		EXPECT_EQ(-1, fd);
		EXPECT_EQ(EFAULT, err);
	}
	if (fd >= 0)
		close(fd);
	check_gone(_metadata, &w, bad, old);
}

/* --- copy_to_nontemporal() --------------------------------------------------- */

/*
 * TCP copies past the cache if the device wants it. The device is a tun, and
 * the peer is here: one packet is all that it has to say.
 */
struct segment {
	struct iphdr ip;
	struct tcphdr tcp;
};

#define HERE	"10.99.0.1"
#define PEER	"10.99.0.2"

static __u16 fold(const void *data, size_t len, __u32 sum)
{
	const __u8 *p = data;
	size_t i;

	for (i = 0; i < len; i++)
		sum += i % 2 ? p[i] : p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static int turn_on_nocache(int sock, struct ifreq *ifr)
{
	struct {
		struct ethtool_sset_info info;
		__u32 count;
	} sset = { { .cmd = ETHTOOL_GSSET_INFO, .sset_mask = 1ULL << ETH_SS_FEATURES } };
	struct ethtool_gstrings *names;
	struct ethtool_sfeatures *set;
	__u32 i, n;
	int ret = -1;

	ifr->ifr_data = (void *)&sset;
	if (ioctl(sock, SIOCETHTOOL, ifr))
		return -1;
	n = sset.count;
	names = calloc(1, sizeof(*names) + n * ETH_GSTRING_LEN);
	set = calloc(1, sizeof(*set) + (n + 31) / 32 * sizeof(set->features[0]));
	if (!names || !set)
		goto out;
	names->cmd = ETHTOOL_GSTRINGS;
	names->string_set = ETH_SS_FEATURES;
	names->len = n;
	ifr->ifr_data = (void *)names;
	if (ioctl(sock, SIOCETHTOOL, ifr))
		goto out;
	for (i = 0; i < n; i++) {
		if (strcmp((char *)names->data + i * ETH_GSTRING_LEN, "tx-nocache-copy"))
			continue;
		set->cmd = ETHTOOL_SFEATURES;
		set->size = (n + 31) / 32;
		set->features[i / 32].valid = 1U << i % 32;
		set->features[i / 32].requested = 1U << i % 32;
		ifr->ifr_data = (void *)set;
		ret = ioctl(sock, SIOCETHTOOL, ifr);
	}
out:
	free(names);
	free(set);
	return ret;
}

/* A tun device with an address, whose TCP sockets copy past the cache. */
static int nocache_device(void)
{
	struct ifreq ifr = { .ifr_name = "mce%d", .ifr_flags = IFF_TUN | IFF_NO_PI };
	struct sockaddr_in *addr = (struct sockaddr_in *)&ifr.ifr_addr;
	int tun = open("/dev/net/tun", O_RDWR | O_NONBLOCK);
	int sock = socket(AF_INET, SOCK_DGRAM, 0);

	if (tun < 0 || sock < 0 || ioctl(tun, TUNSETIFF, &ifr))
		return -1;
	memset(addr, 0, sizeof(*addr));
	addr->sin_family = AF_INET;
	inet_pton(AF_INET, HERE, &addr->sin_addr);
	if (ioctl(sock, SIOCSIFADDR, &ifr))
		return -1;
	inet_pton(AF_INET, "255.255.255.0", &addr->sin_addr);
	if (ioctl(sock, SIOCSIFNETMASK, &ifr))
		return -1;
	ifr.ifr_flags = IFF_UP | IFF_RUNNING;
	if (ioctl(sock, SIOCSIFFLAGS, &ifr) || turn_on_nocache(sock, &ifr))
		return -1;
	close(sock);
	return tun;
}

/* Answer the SYN that is in @tun. */
static int answer(int tun)
{
	struct pollfd in = { .fd = tun, .events = POLLIN };
	union {
		struct segment s;
		__u8 bytes[2048];
	} p;
	struct segment a = { 0 };
	__u32 pseudo;

	do {
		if (poll(&in, 1, 5000) != 1 || read(tun, &p, sizeof(p)) < (int)sizeof(p.s))
			return -1;
	} while (p.s.ip.version != 4 || p.s.ip.protocol != IPPROTO_TCP || !p.s.tcp.syn);

	a.ip.version = 4;
	a.ip.ihl = 5;
	a.ip.tot_len = htons(sizeof(a));
	a.ip.ttl = 64;
	a.ip.protocol = IPPROTO_TCP;
	a.ip.saddr = p.s.ip.daddr;
	a.ip.daddr = p.s.ip.saddr;
	a.ip.check = htons(~fold(&a.ip, sizeof(a.ip), 0));
	a.tcp.source = p.s.tcp.dest;
	a.tcp.dest = p.s.tcp.source;
	a.tcp.seq = htonl(1);
	a.tcp.ack_seq = htonl(ntohl(p.s.tcp.seq) + 1);
	a.tcp.doff = sizeof(a.tcp) / 4;
	a.tcp.syn = 1;
	a.tcp.ack = 1;
	a.tcp.window = htons(65535);
	pseudo = fold(&a.ip.saddr, 8, IPPROTO_TCP + sizeof(a.tcp));
	a.tcp.check = htons(~fold(&a.tcp, sizeof(a.tcp), pseudo));
	return write(tun, &a, sizeof(a)) == sizeof(a) ? 0 : -1;
}

FIXTURE(nocache)
{
	__u8 *buf;
	int tun;
	int sock;
};

FIXTURE_VARIANT(nocache)
{
	size_t shift;		/* of the source in its line */
	size_t good;		/* bytes before the bad line */
	size_t len;
};

FIXTURE_VARIANT_ADD(nocache, block)
{
	.good = 1024,
	.len = 2048,
};

FIXTURE_VARIANT_ADD(nocache, unaligned)
{
	.shift = 13,
	.good = 1024 - 13,
	.len = 2000,
};

FIXTURE_VARIANT_ADD(nocache, word)
{
	.good = 0,
	.len = 48,
};

FIXTURE_SETUP(nocache)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9) };
	struct pollfd out = { .events = POLLOUT };

	ASSERT_EQ(0, mce_pin(0));
	self->buf = anon_pages();
	ASSERT_NE(MAP_FAILED, self->buf);
	self->tun = nocache_device();
	if (self->tun < 0)
		SKIP(return, "no tun device that copies past the cache");
	self->sock = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	ASSERT_GE(self->sock, 0);
	inet_pton(AF_INET, PEER, &to.sin_addr);
	ASSERT_EQ(-1, connect(self->sock, (struct sockaddr *)&to, sizeof(to)));
	ASSERT_EQ(EINPROGRESS, errno);
	ASSERT_EQ(0, answer(self->tun));
	out.fd = self->sock;
	ASSERT_EQ(1, poll(&out, 1, 5000));
	ASSERT_EQ(POLLOUT, out.revents);
}

FIXTURE_TEARDOWN(nocache)
{
	mce_retire();
	munmap(self->buf, NPAGES * MCE_PAGE);
	close(self->sock);
	close(self->tun);
}

TEST_F(nocache, once)
{
	const __u8 *src = self->buf + MCE_PAGE + variant->shift, *bad = src + variant->good;
	struct mce_watch w;
	__u64 old;
	long ret;
	int err;

	ASSERT_EQ(0, mce_arm(bad, &old));
	mce_watch_start(&w);
	ret = send(self->sock, src, variant->len, 0);
	err = errno;
	mce_watch_end(&w, 1);
	mce_outcome("send(2), uncached: returned %ld (%s), %ld #MC", ret,
		    ret < 0 ? mce_errname(err) : "", w.mcs);
	EXPECT_TRUE(ret < 0 ? err == EFAULT : ret <= (long)variant->good);
	check_gone(_metadata, &w, bad, old);
}

#include "mce_main.h"
