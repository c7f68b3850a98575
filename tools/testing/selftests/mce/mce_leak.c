// SPDX-License-Identifier: GPL-2.0
/*
 * No byte that nobody wrote leaves the kernel.
 *
 * What a reader gets of data with a bad line, from files, pipes, sockets, message
 * queues, is the data in its place or nothing. Before that, memory of all these
 * kinds is filled with a pattern and freed, and the pattern is looked for in all
 * that comes out; so is what slub_debug fills free objects with.
 *
 * Worth most with "slub_debug=FZP init_on_alloc=0" on the kernel's command line.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "../kselftest_harness.h"
#include "mce_lib.h"

#define SEED		0x1ea4
#define MARK		0xee		/* the reader's buffer before */
#define FREE_OBJECT	0x6b		/* slub_debug's POISON_FREE */
#define MOST		(3 * MCE_PAGE)

enum outlet { EXT4, TMPFS, PIPE, UNIX, INET, MSGQ };

FIXTURE(outlet)
{
	struct mce_file file;
	int in, out;
	__u8 *src, *dst;
};

FIXTURE_VARIANT(outlet)
{
	const char *what;
	enum outlet outlet;
	int type;
	size_t len;
};

FIXTURE_VARIANT_ADD(outlet, ext4) {
	.what = "ext4", .outlet = EXT4, .len = MOST,
};

FIXTURE_VARIANT_ADD(outlet, tmpfs) {
	.what = "tmpfs", .outlet = TMPFS, .len = MOST,
};

FIXTURE_VARIANT_ADD(outlet, pipe) {
	.what = "pipe", .outlet = PIPE, .len = MOST,
};

FIXTURE_VARIANT_ADD(outlet, unix_stream) {
	.what = "unix_stream", .outlet = UNIX, .type = SOCK_STREAM, .len = 3000,
};

FIXTURE_VARIANT_ADD(outlet, unix_dgram) {
	.what = "unix_dgram", .outlet = UNIX, .type = SOCK_DGRAM, .len = 3000,
};

FIXTURE_VARIANT_ADD(outlet, unix_seqpacket) {
	.what = "unix_seqpacket", .outlet = UNIX, .type = SOCK_SEQPACKET, .len = 3000,
};

FIXTURE_VARIANT_ADD(outlet, tcp) {
	.what = "tcp", .outlet = INET, .type = SOCK_STREAM, .len = 3000,
};

FIXTURE_VARIANT_ADD(outlet, udp) {
	.what = "udp", .outlet = INET, .type = SOCK_DGRAM, .len = 3000,
};

FIXTURE_VARIANT_ADD(outlet, msgq) {
	.what = "msgq", .outlet = MSGQ, .len = 3000,
};

struct message {
	long type;
	__u8 data[MOST];
};

static int inet_pair(int type, int *in, int *out)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t len = sizeof(addr);
	int listener = socket(AF_INET, type, 0);

	*in = socket(AF_INET, type, 0);
	if (bind(listener, (struct sockaddr *)&addr, len) ||
	    getsockname(listener, (struct sockaddr *)&addr, &len))
		return -1;
	if (type == SOCK_DGRAM) {
		*out = listener;
		return connect(*in, (struct sockaddr *)&addr, len);
	}
	if (listen(listener, 1) || connect(*in, (struct sockaddr *)&addr, len))
		return -1;
	*out = accept(listener, NULL, NULL);
	close(listener);
	return *out < 0 ? -1 : 0;
}

static int make_outlet(const struct _fixture_variant_outlet *v, int *in, int *out)
{
	int p[2], err = -1;

	switch (v->outlet) {
	case PIPE:
		err = pipe(p);
		*in = p[1];
		*out = p[0];
		break;
	case UNIX:
		err = socketpair(AF_UNIX, v->type, 0, p);
		*in = p[0];
		*out = p[1];
		break;
	case INET:
		err = inet_pair(v->type, in, out);
		break;
	case MSGQ:
		*in = msgget(IPC_PRIVATE, 0600);
		*out = *in;
		err = *in < 0;
		break;
	default:
		break;
	}
	return err;
}

static void drop_outlet(const struct _fixture_variant_outlet *v, int in, int out)
{
	if (v->outlet == MSGQ) {
		msgctl(in, IPC_RMID, NULL);
		return;
	}
	close(in);
	close(out);
}

static ssize_t put_in(const struct _fixture_variant_outlet *v, int fd, const __u8 *buf)
{
	static struct message m;
	ssize_t ret;

	if (v->outlet != MSGQ)
		return write(fd, buf, v->len);
	m.type = 1;
	memcpy(m.data, buf, v->len);
	ret = msgsnd(fd, &m, v->len, 0) ? -1 : (ssize_t)v->len;
	memset(&m, 0, sizeof(m));
	return ret;
}

static ssize_t take_out(const struct _fixture_variant_outlet *v, int fd, __u8 *buf)
{
	static struct message m;
	ssize_t ret;

	if (v->outlet == EXT4 || v->outlet == TMPFS)
		return pread(fd, buf, v->len, 0);
	if (v->outlet != MSGQ)
		return read(fd, buf, v->len);
	memset(&m, MARK, sizeof(m));
	ret = msgrcv(fd, &m, v->len, 0, IPC_NOWAIT);
	memcpy(buf, m.data, v->len);
	return ret;
}

/* Memory that was freed has a pattern in it. */
static __u64 pollute(const struct _fixture_variant_outlet *v)
{
	static __u8 buf[MOST];
	__u64 pattern = mce_pattern(buf, sizeof(buf));
	int i, in, out;
	void *map;

	for (i = 0; i < 20; i++) {
		if (make_outlet(v, &in, &out))
			break;
		put_in(v, in, buf);
		drop_outlet(v, in, out);
	}
	map = mmap(NULL, 64 * MCE_PAGE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (map == MAP_FAILED)
		return 0;
	for (i = 0; i < 64; i++)
		memcpy((__u8 *)map + i * MCE_PAGE, buf, MCE_PAGE);
	munmap(map, 64 * MCE_PAGE);
	return pattern;
}

FIXTURE_SETUP(outlet)
{
	struct timeval patience = { .tv_sec = 2 };

	ASSERT_EQ(0, mce_pin(0));
	self->in = -1;
	self->src = mmap(NULL, 2 * MOST, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	ASSERT_NE(MAP_FAILED, self->src);
	self->dst = self->src + MOST;
	if (variant->outlet == EXT4 || variant->outlet == TMPFS) {
		if (mce_file_open(&self->file, variant->outlet == EXT4 ? MCE_FS_EXT4 :
				  MCE_FS_TMPFS, MOST / MCE_PAGE, 1, SEED + 1))
			SKIP(return, "no such file system");
		self->in = self->file.fd;
		self->out = self->file.fd;
		return;
	}
	if (make_outlet(variant, &self->in, &self->out))
		SKIP(return, "not there");
	if (variant->outlet == INET || variant->outlet == UNIX)
		setsockopt(self->out, SOL_SOCKET, SO_RCVTIMEO, &patience,
			   sizeof(patience));
}

FIXTURE_TEARDOWN(outlet)
{
	mce_retire();
	if (variant->outlet == EXT4 || variant->outlet == TMPFS)
		mce_file_close(&self->file);
	else if (self->in >= 0)
		drop_outlet(variant, self->in, self->out);
	munmap(self->src, 2 * MOST);
}

/* Neither a byte of the data in its place nor what was there before */
static long foreign(const __u8 *dst, const __u8 *src, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (dst[i] != src[i] && dst[i] != MARK)
			return i;
	return -1;
}

static bool free_object(const __u8 *dst, size_t len)
{
	__u8 filled[16];

	memset(filled, FREE_OBJECT, sizeof(filled));
	return memmem(dst, len, filled, sizeof(filled));
}

TEST_F_TIMEOUT(outlet, nothing_else, 180)
{
	int pages = (variant->len + MCE_PAGE - 1) / MCE_PAGE;
	__u64 mine, others, phys = 0;
	long alien = -1, where;
	bool leaks = false;
	struct mce_watch w;
	ssize_t ret;
	int err, tries;

	others = pollute(variant);
	ASSERT_NE(0, others);
	/* The last line is data as well: it is to be found. */
	mine = mce_pattern(self->src, variant->len);
	if (variant->outlet == EXT4 || variant->outlet == TMPFS) {
		ASSERT_EQ((ssize_t)variant->len,
			  pwrite(self->in, self->src, variant->len, 0));
		ASSERT_EQ(0, mce_arm_file(self->in, MCE_PAGE + 1024, &phys));
	} else {
		ASSERT_EQ((ssize_t)variant->len, put_in(variant, self->in, self->src));
		/* The one in the kernel: there is none of the program's any more. */
		memcpy(self->dst, self->src, variant->len);
		for (tries = 0; tries < (int)variant->len; tries++)
			self->dst[tries] ^= 0x55;
		memset(self->src, 0, variant->len);
		memset(self->src + MOST - 64, 0, 64);
		/* A page that was moved or freed just now may have another copy. */
		for (tries = 0; tries < 2 && mce_find_line(mine, &phys) != pages; tries++)
			mce_put("/proc/sys/vm/compact_memory", "1");
		if (tries == 2)
			SKIP(return, "which copy is it?");
		ASSERT_EQ(0, mce_arm_phys(phys));
		for (tries = 0; tries < (int)variant->len; tries++)
			self->src[tries] = self->dst[tries] ^ 0x55;
	}
	mce_watch_start(&w);
	for (tries = 0; tries < 4; tries++) {
		memset(self->dst, MARK, MOST);
		ret = take_out(variant, self->out, self->dst);
		err = errno;
		/* A stream may come in pieces, which begin anywhere. */
		if (!tries || ret < 0) {
			where = foreign(self->dst, self->src, variant->len);
			alien = alien < 0 ? where : alien;
		}
		leaks |= !!memmem(self->dst, MOST, &others, sizeof(others)) ||
			 free_object(self->dst, MOST);
		if (ret <= 0)
			break;
	}
	mce_watch_end(&w, 1);
	if (ret < 0)
		mce_outcome("%s: -%s%s, %ld #MC", variant->what, mce_errname(err),
			    leaks ? ", LEAKS" : alien >= 0 ? ", SOMETHING ELSE" : "",
			    w.mcs);
	else
		mce_outcome("%s: %zd%s, %ld #MC", variant->what, ret,
			    leaks ? ", LEAKS" : alien >= 0 ? ", SOMETHING ELSE" : "",
			    w.mcs);
	EXPECT_FALSE(leaks);
	EXPECT_EQ(-1, alien);
	EXPECT_EQ(1, w.mcs);
	EXPECT_STREQ("", w.log);
}

#include "mce_main.h"
