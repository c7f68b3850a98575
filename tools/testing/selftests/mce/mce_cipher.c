// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel encrypts for somebody: cipher sockets, and TLS in the kernel.
 *
 * A cipher cannot stop half way, and reads pages of files and of programs where
 * they are. What it cannot read is an error to who asked for it; nothing wrong
 * is encrypted, and a stream has no gap.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_alg.h>
#include <linux/tls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../kselftest_harness.h"
#include "mce_lib.h"

#ifndef SOL_TLS
#define SOL_TLS		282
#endif

#define OLD	0xc1f			/* what the disk has */
#define NEW	0xd1f			/* what was written since */
#define NPAGES	8
#define AT	(3 * MCE_PAGE)		/* the page that goes bad */
#define BAD	(AT + 1024)
#define FROM	(AT - MCE_PAGE)		/* a range around it */
#define LEN	(3 * MCE_PAGE)
#define TAG	16

static void say(const char *what, ssize_t ret, int err, const struct mce_watch *w)
{
	if (ret < 0)
		mce_outcome("%s: -%s, %ld #MC", what, mce_errname(err), w->mcs);
	else
		mce_outcome("%s: %zd bytes, %ld #MC", what, ret, w->mcs);
}

static void expect_one(struct __test_metadata *const _metadata,
		       const struct mce_watch *w, __u64 phys)
{
	EXPECT_EQ(1, w->mcs);
	EXPECT_EQ(1, w->offlined);
	EXPECT_STREQ("", w->log);
	EXPECT_TRUE(mce_page_offlined(phys));
}

/* New data, which the disk does not have. */
static void make_dirty(struct __test_metadata *const _metadata,
		       struct mce_file *f)
{
	mce_fill(f->buf, MCE_PAGE, NEW, AT);
	ASSERT_EQ((ssize_t)MCE_PAGE, pwrite(f->fd, f->buf, MCE_PAGE, AT));
}

FIXTURE(cipher)
{
	struct mce_file in;
	__u8 *before, *after;
	int fd;
};

FIXTURE_VARIANT(cipher)
{
	const char *type, *name;
	unsigned int iv, tag;
};

FIXTURE_VARIANT_ADD(cipher, skcipher)
{
	.type = "skcipher",
	.name = "ctr(aes)",
	.iv = 16,
};

FIXTURE_VARIANT_ADD(cipher, aead)
{
	.type = "aead",
	.name = "gcm(aes)",
	.iv = 12,
	.tag = TAG,
};

FIXTURE_SETUP(cipher)
{
	struct sockaddr_alg addr = { .salg_family = AF_ALG };
	const __u8 key[16] = { 1 };
	int sock;

	ASSERT_EQ(0, mce_pin(0));
	strcpy((char *)addr.salg_type, variant->type);
	strcpy((char *)addr.salg_name, variant->name);
	sock = socket(AF_ALG, SOCK_SEQPACKET, 0);
	if (sock < 0 || bind(sock, (struct sockaddr *)&addr, sizeof(addr)))
		SKIP(return, "no such cipher sockets");
	ASSERT_EQ(0, setsockopt(sock, SOL_ALG, ALG_SET_KEY, key, sizeof(key)));
	if (variant->tag)
		ASSERT_EQ(0, setsockopt(sock, SOL_ALG, ALG_SET_AEAD_AUTHSIZE, NULL,
					variant->tag));
	self->fd = accept(sock, NULL, NULL);
	ASSERT_GE(self->fd, 0);
	close(sock);
	self->before = mmap(NULL, 4 * LEN, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	ASSERT_NE(MAP_FAILED, self->before);
	self->after = self->before + 2 * LEN;
	ASSERT_EQ(0, mce_file_open(&self->in, MCE_FS_EXT4, NPAGES, 1, OLD));
}

FIXTURE_TEARDOWN(cipher)
{
	if (!self->before)
		return;
	close(self->fd);
	munmap(self->before, 4 * LEN);
	mce_file_close(&self->in);
}

/* Announce what the next data is. */
static int begin(int sock, const struct _fixture_variant_cipher *variant)
{
	char control[CMSG_SPACE(4) + CMSG_SPACE(4 + 16)] = { 0 };
	struct msghdr msg = {
		.msg_control = control,
		.msg_controllen = CMSG_SPACE(4) + CMSG_SPACE(4 + variant->iv),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	const __u32 op = ALG_OP_ENCRYPT;

	*c = (struct cmsghdr) {
		.cmsg_len = CMSG_LEN(4), .cmsg_level = SOL_ALG,
		.cmsg_type = ALG_SET_OP,
	};
	memcpy(CMSG_DATA(c), &op, 4);
	c = CMSG_NXTHDR(&msg, c);
	*c = (struct cmsghdr) {
		.cmsg_len = CMSG_LEN(4 + variant->iv), .cmsg_level = SOL_ALG,
		.cmsg_type = ALG_SET_IV,
	};
	memcpy(CMSG_DATA(c), &variant->iv, 4);
	return sendmsg(sock, &msg, MSG_MORE);
}

/* What sendfile(2) says if it is not all, else what came of the cipher. */
static ssize_t encrypt(int sock, int fd, const struct _fixture_variant_cipher *variant,
		       __u8 *out)
{
	off_t off = FROM;
	ssize_t ret;
	int err;

	if (begin(sock, variant))
		return -2;
	ret = sendfile(sock, fd, &off, LEN);
	if (ret == (ssize_t)LEN)
		return recv(sock, out, LEN + variant->tag, 0);
	err = errno;
	/* There is no more, then. */
	send(sock, NULL, 0, 0);
	if (ret > 0 && recv(sock, out, ret + variant->tag, 0) != ret + variant->tag)
		return -2;
	errno = err;
	return ret;
}

TEST_F(cipher, sendfile)
{
	const ssize_t all = LEN + variant->tag;
	struct mce_watch w;
	ssize_t ret;
	int err;

	ASSERT_EQ(all, encrypt(self->fd, self->in.fd, variant, self->before));
	ASSERT_EQ(0, mce_arm_file(self->in.fd, BAD, &self->in.phys));
	mce_watch_start(&w);
	ret = encrypt(self->fd, self->in.fd, variant, self->after);
	err = errno;
	mce_watch_end(&w, 1);
	say("encrypt", ret, err, &w);
	if (ret != all) {
		EXPECT_EQ(-1, ret);
		EXPECT_EQ(EIO, err);
		/* The file is healed, and the socket goes on. */
		EXPECT_EQ(all, encrypt(self->fd, self->in.fd, variant, self->after));
	}
	EXPECT_EQ(0, memcmp(self->before, self->after, all));
	expect_one(_metadata, &w, self->in.phys);
}

TEST_F(cipher, sendfile_lost)
{
	struct mce_watch w;
	ssize_t ret;
	int err, i;

	make_dirty(_metadata, &self->in);
	ASSERT_EQ(0, mce_arm_file(self->in.fd, BAD, &self->in.phys));
	mce_watch_start(&w);
	for (i = 0; i < 2; i++) {
		ret = encrypt(self->fd, self->in.fd, variant, self->after);
		err = errno;
		EXPECT_TRUE(ret < 0 ? err == EIO : ret <= (ssize_t)(BAD - FROM));
	}
	mce_watch_end(&w, 1);
	say("encrypt", ret, err, &w);
	expect_one(_metadata, &w, self->in.phys);
	EXPECT_EQ(-1, pread(self->in.fd, self->in.buf, MCE_PAGE, AT));
	EXPECT_EQ(EIO, errno);
}

/* What the kernel keeps until somebody asks for the result */
TEST_F(cipher, kernel_page)
{
	const ssize_t all = 2 * MCE_PAGE + variant->tag;
	struct mce_watch w;
	__u64 pattern, phys;
	ssize_t ret;
	int err;

	ASSERT_EQ(0, begin(self->fd, variant));
	pattern = mce_pattern(self->after, 2 * MCE_PAGE);
	ASSERT_EQ(2 * (ssize_t)MCE_PAGE, send(self->fd, self->after, 2 * MCE_PAGE, 0));
	memset(self->after, 0, 2 * MCE_PAGE);
	ASSERT_LE(1, mce_find_line(pattern, &phys));
	ASSERT_EQ(0, mce_arm_phys(phys));
	mce_watch_start(&w);
	ret = recv(self->fd, self->after, all, 0);
	err = errno;
	mce_watch_end(&w, 1);
	say("encrypt", ret, err, &w);
	EXPECT_EQ(-1, ret);
	EXPECT_EQ(EIO, err);
	expect_one(_metadata, &w, phys);
	/* The socket goes on. */
	EXPECT_EQ((ssize_t)(LEN + variant->tag),
		  encrypt(self->fd, self->in.fd, variant, self->after));
}

/* The result cannot go where it should; what was sent waits for a better place. */
TEST_F(cipher, receive)
{
	const ssize_t all = 2 * MCE_PAGE + variant->tag;
	struct mce_watch w;
	ssize_t ret;
	__u64 phys;
	int err;

	mce_fill(self->before, 2 * MCE_PAGE, NEW, 0);
	ASSERT_EQ(0, begin(self->fd, variant));
	ASSERT_EQ(2 * (ssize_t)MCE_PAGE, send(self->fd, self->before, 2 * MCE_PAGE, 0));
	ASSERT_EQ(0, mce_arm(self->after + MCE_PAGE + 1024, &phys));
	mce_watch_start(&w);
	ret = recv(self->fd, self->after, all, 0);
	err = errno;
	mce_watch_end(&w, 1);
	say("encrypt", ret, err, &w);
	EXPECT_EQ(-1, ret);
	EXPECT_EQ(EFAULT, err);
	expect_one(_metadata, &w, phys);
	EXPECT_STREQ("", mce_owner_hears(self->after + MCE_PAGE + 1024));
	EXPECT_EQ(all, recv(self->fd, self->before, all, 0));
	EXPECT_NE(-1, mce_differs(self->before, 2 * MCE_PAGE, NEW, 0));
}

/* A connection that the kernel encrypts, and decrypts at the other end. */
FIXTURE(tls)
{
	struct mce_file in;
	int tx, rx;
};

static int tcp_pair(int *tx, int *rx)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	struct timeval patience = { .tv_sec = 3 };
	socklen_t len = sizeof(addr);
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	*tx = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(listener, (struct sockaddr *)&addr, len) || listen(listener, 1) ||
	    getsockname(listener, (struct sockaddr *)&addr, &len) ||
	    connect(*tx, (struct sockaddr *)&addr, len))
		return -1;
	*rx = accept(listener, NULL, NULL);
	close(listener);
	return setsockopt(*rx, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
}

static int start_tls(int fd, int direction)
{
	struct tls12_crypto_info_aes_gcm_128 info = {
		.info = {
			.version = TLS_1_3_VERSION,
			.cipher_type = TLS_CIPHER_AES_GCM_128,
		},
		.key = { 1 },
	};

	if (setsockopt(fd, IPPROTO_TCP, TCP_ULP, "tls", sizeof("tls")))
		return -1;
	return setsockopt(fd, SOL_TLS, direction, &info, sizeof(info));
}

FIXTURE_SETUP(tls)
{
	ASSERT_EQ(0, mce_pin(0));
	ASSERT_EQ(0, tcp_pair(&self->tx, &self->rx));
	if (start_tls(self->tx, TLS_TX) || start_tls(self->rx, TLS_RX))
		SKIP(return, "no TLS in the kernel");
	ASSERT_EQ(0, mce_file_open(&self->in, MCE_FS_EXT4, NPAGES, 1, OLD));
}

FIXTURE_TEARDOWN(tls)
{
	close(self->tx);
	close(self->rx);
	if (self->in.buf)
		mce_file_close(&self->in);
}

/* The next @len bytes of the stream are what @seed makes of @off. */
static void expect_data(struct __test_metadata *const _metadata, int rx,
			__u8 *buf, size_t len, __u64 seed, off_t off)
{
	size_t got = 0;
	ssize_t n;

	memset(buf, 0xee, len);
	while (got < len && (n = recv(rx, buf + got, len - got, 0)) > 0)
		got += n;
	EXPECT_EQ(len, got);
	EXPECT_EQ(-1, mce_differs(buf, len, seed, off));
}

/* And there is no more. */
static void expect_end(struct __test_metadata *const _metadata, int rx)
{
	__u8 byte;

	EXPECT_EQ(-1, recv(rx, &byte, 1, MSG_DONTWAIT));
	EXPECT_EQ(EAGAIN, errno);
}

/* The sender's own memory: it gets the error, and the connection stands. */
TEST_F(tls, send)
{
	struct mce_watch w;
	ssize_t ret;
	__u64 phys;
	__u8 *buf;
	int err;

	buf = mmap(NULL, LEN, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, buf);
	mce_fill(buf, LEN, NEW, 0);
	ASSERT_EQ(0, mce_arm(buf + MCE_PAGE + 1024, &phys));
	mce_watch_start(&w);
	ret = send(self->tx, buf, LEN, 0);
	err = errno;
	mce_watch_end(&w, 1);
	say("send", ret, err, &w);
	EXPECT_EQ(-1, ret);
	EXPECT_EQ(EFAULT, err);
	expect_one(_metadata, &w, phys);
	EXPECT_STREQ("", mce_owner_hears(buf + MCE_PAGE + 1024));
	EXPECT_EQ(1000, send(self->tx, buf, 1000, 0));
	expect_data(_metadata, self->rx, self->in.buf, 1000, NEW, 0);
	expect_end(_metadata, self->rx);
	munmap(buf, LEN);
}

/* All that can be had of a range, by one call after the other. */
static ssize_t send_range(int sock, int fd, off_t off, size_t len, int *err)
{
	size_t sent = 0;
	ssize_t ret = 0;

	while (sent < len && (ret = sendfile(sock, fd, &off, len - sent)) > 0)
		sent += ret;
	*err = ret < 0 ? errno : 0;
	return sent;
}

TEST_F(tls, sendfile)
{
	struct mce_watch w;
	ssize_t ret;
	int err, tries = 0;

	ASSERT_EQ(0, mce_arm_file(self->in.fd, BAD, &self->in.phys));
	mce_watch_start(&w);
	ret = send_range(self->tx, self->in.fd, FROM, LEN, &err);
	while (ret < (ssize_t)LEN && tries++ < 3) {
		EXPECT_EQ(EIO, err);
		ret += send_range(self->tx, self->in.fd, FROM + ret, LEN - ret, &err);
	}
	mce_watch_end(&w, 1);
	say("sendfile", ret, err, &w);
	EXPECT_EQ((ssize_t)LEN, ret);
	/* It is healed when the call returns. */
	EXPECT_LE(tries, 1);
	expect_one(_metadata, &w, self->in.phys);
	expect_data(_metadata, self->rx, self->in.buf, LEN, OLD, FROM);
	expect_end(_metadata, self->rx);
}

TEST_F(tls, sendfile_lost)
{
	struct mce_watch w;
	ssize_t ret;
	int err;

	make_dirty(_metadata, &self->in);
	ASSERT_EQ(0, mce_arm_file(self->in.fd, BAD, &self->in.phys));
	mce_watch_start(&w);
	ret = send_range(self->tx, self->in.fd, FROM, LEN, &err);
	mce_watch_end(&w, 1);
	say("sendfile", ret, err, &w);
	EXPECT_EQ(EIO, err);
	EXPECT_EQ(AT - FROM, ret);
	expect_one(_metadata, &w, self->in.phys);
	/* The connection stands; what was in front waits for more, as always. */
	EXPECT_EQ((ssize_t)MCE_PAGE,
		  send_range(self->tx, self->in.fd, AT + MCE_PAGE, MCE_PAGE, &err));
	expect_data(_metadata, self->rx, self->in.buf, ret, OLD, FROM);
	expect_data(_metadata, self->rx, self->in.buf, MCE_PAGE, OLD, AT + MCE_PAGE);
	expect_end(_metadata, self->rx);
}

/*
 * What was received goes bad before it is decrypted. The connection is of no use
 * any more, as when somebody has tampered with it.
 */
TEST(tls_receive)
{
	__u8 record[5 + 2 * MCE_PAGE] = {
		23, 3, 3, 2 * MCE_PAGE >> 8, 2 * MCE_PAGE & 255,
	};
	static __u8 got[4 * MCE_PAGE];
	struct mce_watch w;
	__u64 pattern, phys;
	int tx, rx, err, i;
	ssize_t ret;

	ASSERT_EQ(0, mce_pin(0));
	ASSERT_EQ(0, tcp_pair(&tx, &rx));
	if (start_tls(rx, TLS_RX))
		SKIP(return, "no TLS in the kernel");
	/* It was never encrypted, but that shows at its end only. */
	pattern = mce_pattern(record + 5, 2 * MCE_PAGE);
	ASSERT_EQ((ssize_t)sizeof(record), send(tx, record, sizeof(record), 0));
	memset(record, 0, sizeof(record));
	ASSERT_LE(1, mce_find_line(pattern, &phys));
	ASSERT_EQ(0, mce_arm_phys(phys));
	mce_watch_start(&w);
	ret = recv(rx, got, sizeof(got), 0);
	err = errno;
	mce_watch_end(&w, 1);
	say("decrypt", ret, err, &w);
	EXPECT_EQ(-1, ret);
	EXPECT_EQ(EIO, err);
	expect_one(_metadata, &w, phys);
	mce_watch_start(&w);
	for (i = 0; i < 4; i++)
		EXPECT_EQ(-1, recv(rx, got, sizeof(got), MSG_DONTWAIT));
	mce_watch_end(&w, 0);
	EXPECT_EQ(0, w.mcs);
	EXPECT_STREQ("", w.log);
	close(tx);
	close(rx);
	mce_retire();
}

#include "mce_main.h"
