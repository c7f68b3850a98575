// SPDX-License-Identifier: GPL-2.0
/*
 * What a program has given to the kernel to keep, in an object of a slab, goes
 * bad there: a message in a queue, an extended attribute.
 *
 * Its reader gets an error, and the next message. The object must not become
 * somebody else's: a slab gives out what was freed last.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/mqueue.h>
#include <stdio.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "../kselftest_harness.h"
#include "mce_lib.h"

#ifndef MSG_COPY
#define MSG_COPY	040000
#endif

#define SEED	0x1bc
#define MAXLEN	(3 * MCE_PAGE)
#define NMSGS	8

struct message {
	long type;
	__u8 data[MAXLEN];
};

FIXTURE(queue)
{
	struct message *msg;
	int id;
	int bad;		/* which one */
	__u64 patterns[NMSGS];
	__u64 phys;
};

FIXTURE_VARIANT(queue)
{
	bool posix;
	size_t len;
};

FIXTURE_VARIANT_ADD(queue, sysv)
{
	.len = 1000,
};

/* A page, and an object that is chained to it */
FIXTURE_VARIANT_ADD(queue, sysv_large)
{
	.len = MCE_PAGE + 1000,
};

FIXTURE_VARIANT_ADD(queue, posix)
{
	.posix = true,
	.len = 1000,
};

FIXTURE_VARIANT_ADD(queue, posix_large)
{
	.posix = true,
	.len = MCE_PAGE + 1000,
};

static int send_one(const struct _test_data_queue *self,
		    const struct _fixture_variant_queue *variant)
{
	if (variant->posix)
		return syscall(SYS_mq_timedsend, self->id, self->msg->data,
			       variant->len, 0, NULL);
	return msgsnd(self->id, self->msg, variant->len, IPC_NOWAIT);
}

static ssize_t receive_one(const struct _test_data_queue *self,
			   const struct _fixture_variant_queue *variant)
{
	memset(self->msg->data, 0xee, MAXLEN);
	if (variant->posix)
		return syscall(SYS_mq_timedreceive, self->id, self->msg->data,
			       MAXLEN, NULL, NULL);
	return msgrcv(self->id, self->msg, MAXLEN, 0, IPC_NOWAIT);
}

FIXTURE_SETUP(queue)
{
	struct mq_attr attr = { .mq_maxmsg = NMSGS, .mq_msgsize = MAXLEN };
	struct msqid_ds ds;
	char name[32];

	self->id = -1;
	ASSERT_EQ(0, mce_pin(0));
	self->msg = calloc(1, sizeof(*self->msg));
	ASSERT_NE(NULL, self->msg);
	self->msg->type = 1;
	if (variant->posix) {
		snprintf(name, sizeof(name), "mce-%d", getpid());
		self->id = syscall(SYS_mq_open, name, O_CREAT | O_RDWR | O_NONBLOCK,
				   0600, &attr);
		if (self->id >= 0)
			syscall(SYS_mq_unlink, name);
	} else {
		self->id = msgget(IPC_PRIVATE, 0600);
		msgctl(self->id, IPC_STAT, &ds);
		ds.msg_qbytes = NMSGS * MAXLEN;
		msgctl(self->id, IPC_SET, &ds);
	}
	if (self->id < 0)
		SKIP(return, "no message queues");
}

FIXTURE_TEARDOWN(queue)
{
	mce_retire();
	if (variant->posix)
		close(self->id);
	else if (self->id >= 0)
		msgctl(self->id, IPC_RMID, NULL);
	free(self->msg);
}

static void fill_queue(struct __test_metadata *const _metadata,
		       struct _test_data_queue *self,
		       const struct _fixture_variant_queue *variant)
{
	int i;

	for (i = 0; i < NMSGS; i++) {
		self->patterns[i] = mce_pattern(self->msg->data, variant->len & ~7UL);
		ASSERT_EQ(0, send_one(self, variant));
	}
	memset(self->msg->data, 0, MAXLEN);
	/* Not the first, and not one in a page that an earlier case left bad. */
	for (i = 1; i < NMSGS - 1; i++) {
		if (mce_find_line(self->patterns[i], &self->phys) > 0)
			break;
	}
	ASSERT_LT(i, NMSGS - 1);
	self->bad = i;
	ASSERT_EQ(0, mce_arm_phys(self->phys));
}

static void expect_messages(struct __test_metadata *const _metadata,
			    struct _test_data_queue *self,
			    const struct _fixture_variant_queue *variant, int from,
			    int to)
{
	const __u8 *data = self->msg->data;

	for (; from < to; from++) {
		EXPECT_EQ((ssize_t)variant->len, receive_one(self, variant));
		EXPECT_EQ(0, memcmp(data, &self->patterns[from], 8));
		EXPECT_EQ(0, memcmp(data, data + 8, (variant->len & ~7UL) - 8));
	}
}

/* Whatever memory the queue uses now, it is good. */
static void expect_good(struct __test_metadata *const _metadata,
			struct _test_data_queue *self,
			const struct _fixture_variant_queue *variant)
{
	struct mce_watch w;
	int i, j;

	mce_watch_start(&w);
	for (i = 0; i < 64; i++) {
		for (j = 0; j < NMSGS; j++) {
			mce_fill(self->msg->data, variant->len, SEED, j * MAXLEN);
			ASSERT_EQ(0, send_one(self, variant));
		}
		for (j = 0; j < NMSGS; j++) {
			ASSERT_EQ((ssize_t)variant->len, receive_one(self, variant));
			ASSERT_EQ(-1, mce_differs(self->msg->data, variant->len,
						  SEED, j * MAXLEN));
		}
	}
	mce_watch_end(&w, 0);
	EXPECT_EQ(0, w.mcs);
	EXPECT_STREQ("", w.log);
}

static void receive_lost(struct __test_metadata *const _metadata,
			 ssize_t (*receive)(const struct _test_data_queue *self,
					    const struct _fixture_variant_queue *variant),
			 struct _test_data_queue *self,
			 const struct _fixture_variant_queue *variant)
{
	struct mce_watch w;
	ssize_t ret;
	int err;

	mce_watch_start(&w);
	ret = receive(self, variant);
	err = errno;
	mce_watch_end(&w, 1);
	mce_outcome("receive: %s, %ld #MC",
		    ret < 0 ? mce_errname(err) : "NO ERROR", w.mcs);
	EXPECT_EQ(-1, ret);
	/* There is nothing wrong with the reader's buffer. */
	EXPECT_EQ(EIO, err);
	EXPECT_EQ(1, w.mcs);
	EXPECT_EQ(1, w.offlined);
	EXPECT_STREQ("", w.log);
}

TEST_F(queue, receive)
{
	fill_queue(_metadata, self, variant);
	expect_messages(_metadata, self, variant, 0, self->bad);
	receive_lost(_metadata, receive_one, self, variant);
	expect_messages(_metadata, self, variant, self->bad + 1, NMSGS);
	expect_good(_metadata, self, variant);
}

static ssize_t copy_bad(const struct _test_data_queue *self,
			const struct _fixture_variant_queue *variant)
{
	return msgrcv(self->id, self->msg, MAXLEN, self->bad, MSG_COPY | IPC_NOWAIT);
}

/* Who only looks at it leaves it there, for its reader to find. */
TEST_F(queue, copy)
{
	struct mce_watch w;

	if (variant->posix)
		SKIP(return, "only System V queues can do that");
	if (copy_bad(self, variant) < 0 && errno == ENOSYS)
		SKIP(return, "no MSG_COPY");
	fill_queue(_metadata, self, variant);
	receive_lost(_metadata, copy_bad, self, variant);
	expect_messages(_metadata, self, variant, 0, self->bad);
	mce_watch_start(&w);
	EXPECT_EQ(-1, receive_one(self, variant));
	mce_watch_end(&w, 0);
	EXPECT_LE(w.mcs, 1);
	EXPECT_STREQ("", w.log);
	expect_messages(_metadata, self, variant, self->bad + 1, NMSGS);
	expect_good(_metadata, self, variant);
}

/* So do extended attributes, on tmpfs, for longer. */
TEST(xattr)
{
	__u8 value[3000], other[sizeof(value)];
	struct mce_watch w;
	__u64 pattern, phys;
	char dir[PATH_MAX - 64], path[PATH_MAX];
	ssize_t ret;
	int fd, err;

	ASSERT_EQ(0, mce_pin(0));
	if (!mce_dir_on(MCE_FS_TMPFS, dir, sizeof(dir)))
		SKIP(return, "no directory on tmpfs");
	snprintf(path, sizeof(path), "%s/mce-xattr-%d", dir, getpid());
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ASSERT_GE(fd, 0);
	unlink(path);
	pattern = mce_pattern(value, sizeof(value));
	mce_fill(other, sizeof(other), SEED, 0);
	if (fsetxattr(fd, "user.mce", value, sizeof(value), 0))
		SKIP(return, "no extended attributes");
	/* The buffer that the system call had comes first for the next one. */
	ASSERT_EQ(0, fsetxattr(fd, "user.other", other, sizeof(other), 0));
	memset(value, 0, sizeof(value));
	ASSERT_EQ(1, mce_find_line(pattern, &phys));
	ASSERT_EQ(0, mce_arm_phys(phys));
	mce_watch_start(&w);
	ret = fgetxattr(fd, "user.mce", value, sizeof(value));
	err = errno;
	mce_watch_end(&w, 1);
	mce_outcome("getxattr: %s, %ld #MC", ret < 0 ? mce_errname(err) : "NO ERROR",
		    w.mcs);
	EXPECT_EQ(-1, ret);
	EXPECT_EQ(EIO, err);
	EXPECT_EQ(1, w.mcs);
	EXPECT_EQ(1, w.offlined);
	EXPECT_STREQ("", w.log);

	/* The other one is as before, and this one has a new value. */
	mce_watch_start(&w);
	EXPECT_EQ((ssize_t)sizeof(value), fgetxattr(fd, "user.other", value, sizeof(value)));
	EXPECT_EQ(0, memcmp(value, other, sizeof(value)));
	memset(value, 0, sizeof(value));
	EXPECT_EQ(0, fsetxattr(fd, "user.mce", other, sizeof(other), 0));
	EXPECT_EQ((ssize_t)sizeof(value), fgetxattr(fd, "user.mce", value, sizeof(value)));
	EXPECT_EQ(0, memcmp(value, other, sizeof(value)));
	mce_watch_end(&w, 0);
	EXPECT_EQ(0, w.mcs);
	close(fd);
	mce_retire();
}

#include "mce_main.h"
