// SPDX-License-Identifier: GPL-2.0
/*
 * A network file system: what the page cache has is clean if the server has it,
 * and it is the kernel that copies it into the requests.
 */
#define _GNU_SOURCE
#include <fcntl.h>

#include "../kselftest_harness.h"
#include "mce_9p.h"
#include "mce_lib.h"

#define OLD	0x0f5
#define NEW	0x1f5
#define NPAGES	4
#define LEN	(NPAGES * MCE_PAGE)
#define AT	MCE_PAGE		/* the page that goes bad */
#define BAD	(AT + 1024)

FIXTURE(netfs)
{
	struct p9_mount m;
	__u8 *buf;
	int fd;
	__u64 phys;
};

/* The server has a file, and the page cache has all of it. */
FIXTURE_SETUP(netfs)
{
	self->fd = -1;
	ASSERT_EQ(0, mce_pin(0));
	if (p9_start(&self->m))
		SKIP(return, "no 9P");
	self->buf = mmap(NULL, LEN, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	ASSERT_NE(MAP_FAILED, self->buf);
	mce_fill(self->m.file->data, LEN, OLD, 0);
	self->m.file->size = LEN;
	self->fd = open(self->m.path, O_RDWR | O_CLOEXEC);
	ASSERT_GE(self->fd, 0);
	ASSERT_EQ((ssize_t)LEN, pread(self->fd, self->buf, LEN, 0));
	ASSERT_EQ(-1, mce_differs(self->buf, LEN, OLD, 0));
	/* To ask later would write what is dirty. */
	ASSERT_EQ(0, mce_file_phys(self->fd, BAD, &self->phys));
}

FIXTURE_TEARDOWN(netfs)
{
	if (self->fd < 0)
		return;
	mce_retire();
	close(self->fd);
	munmap(self->buf, LEN);
	p9_stop(&self->m);
}

/* Poison a page of which the server has an older version. */
static void lose(struct __test_metadata *const _metadata,
		 struct _test_data_netfs *self)
{
	mce_fill(self->buf, LEN, NEW, 0);
	ASSERT_EQ((ssize_t)LEN, pwrite(self->fd, self->buf, LEN, 0));
	ASSERT_EQ(-1, mce_differs(self->m.file->data, LEN, OLD, 0)) {
		TH_LOG("the server has it already");
	}
	ASSERT_EQ(0, mce_arm_phys(self->phys));
}

/* One page is -EIO, and the others have what was written last. */
static void expect_lost(struct __test_metadata *const _metadata,
			struct _test_data_netfs *self)
{
	off_t at;

	for (at = 0; at < (off_t)LEN; at += MCE_PAGE) {
		ssize_t ret = pread(self->fd, self->buf, MCE_PAGE, at);

		if (at == AT) {
			EXPECT_EQ(-1, ret);
			EXPECT_EQ(EIO, errno);
		} else {
			EXPECT_EQ((ssize_t)MCE_PAGE, ret);
			EXPECT_EQ(-1, mce_differs(self->buf, MCE_PAGE, NEW, at));
		}
	}
}

static void say(const char *what, ssize_t ret, int err, struct mce_watch *w)
{
	mce_outcome("%s: %s, %ld #MC", what,
		    ret < 0 ? mce_errname(err) : "no error", w->mcs);
}

static void expect_one(struct __test_metadata *const _metadata,
		       const struct mce_watch *w)
{
	EXPECT_EQ(1, w->mcs);
	EXPECT_EQ(1, w->offlined);
	EXPECT_STREQ("", w->log);
}

/* The server has it as well. */
TEST_F_TIMEOUT(netfs, read, 30)
{
	struct mce_watch w;
	ssize_t ret;
	int err;

	ASSERT_EQ(0, mce_arm_phys(self->phys));
	mce_watch_start(&w);
	ret = pread(self->fd, self->buf, LEN, 0);
	err = errno;
	mce_watch_end(&w, 1);
	say("pread", ret, err, &w);
	EXPECT_EQ((ssize_t)LEN, ret);
	EXPECT_EQ(-1, mce_differs(self->buf, LEN, OLD, 0));
	expect_one(_metadata, &w);
	EXPECT_TRUE(mce_page_offlined(self->phys));
}

/* The server does not have it. Who overwrites it has a good file again. */
TEST_F_TIMEOUT(netfs, read_lost, 30)
{
	struct mce_watch w;
	ssize_t ret;
	int err;

	lose(_metadata, self);
	mce_watch_start(&w);
	ret = pread(self->fd, self->buf, MCE_PAGE, AT);
	err = errno;
	mce_watch_end(&w, 1);
	say("pread", ret, err, &w);
	EXPECT_EQ(-1, ret);
	EXPECT_EQ(EIO, err);
	expect_one(_metadata, &w);
	EXPECT_TRUE(mce_page_offlined(self->phys));

	mce_watch_start(&w);
	EXPECT_EQ(-1, fsync(self->fd));
	EXPECT_EQ(EIO, errno);
	EXPECT_EQ(0, fsync(self->fd));
	mce_drop_caches();
	expect_lost(_metadata, self);
	/* A part of it is no help. */
	EXPECT_EQ(-1, pwrite(self->fd, self->buf, 100, AT + 10));
	EXPECT_EQ(EIO, errno);

	mce_fill(self->buf, LEN, NEW, 0);
	EXPECT_EQ((ssize_t)MCE_PAGE, pwrite(self->fd, self->buf + AT, MCE_PAGE, AT));
	EXPECT_EQ(0, fsync(self->fd));
	EXPECT_EQ(-1, mce_differs(self->m.file->data, LEN, NEW, 0));
	mce_drop_caches();
	EXPECT_EQ((ssize_t)LEN, pread(self->fd, self->buf, LEN, 0));
	EXPECT_EQ(-1, mce_differs(self->buf, LEN, NEW, 0));
	mce_watch_end(&w, 0);
	EXPECT_EQ(0, w.mcs);
	EXPECT_STREQ("", w.log);
}

/* Nobody has read it when it is to be written. */
TEST_F_TIMEOUT(netfs, writeback, 30)
{
	struct mce_watch w;
	int ret, err, i;

	lose(_metadata, self);
	mce_watch_start(&w);
	ret = fsync(self->fd);
	err = errno;
	mce_watch_end(&w, 1);
	say("fsync", ret, err, &w);
	EXPECT_EQ(-1, ret);
	EXPECT_EQ(EIO, err);
	expect_one(_metadata, &w);
	EXPECT_TRUE(mce_page_offlined(self->phys));

	mce_watch_start(&w);
	/* It is told once more that the page is gone. */
	for (i = 0; i < 6 && fsync(self->fd); i++)
		;
	EXPECT_EQ(0, fsync(self->fd));
	mce_drop_caches();
	expect_lost(_metadata, self);
	/* What could be written is. */
	EXPECT_EQ(-1, mce_differs(self->m.file->data, AT, NEW, 0));
	EXPECT_EQ(-1, mce_differs(self->m.file->data + AT, MCE_PAGE, OLD, AT));
	EXPECT_EQ(-1, mce_differs(self->m.file->data + AT + MCE_PAGE,
				  LEN - AT - MCE_PAGE, NEW, AT + MCE_PAGE));
	mce_watch_end(&w, 0);
	EXPECT_EQ(0, w.mcs);
	EXPECT_STREQ("", w.log);
}

/* A write that goes past the page cache is copied from the program. */
TEST_F_TIMEOUT(netfs, direct_write, 30)
{
	struct mce_watch w;
	ssize_t ret;
	int fd, err;

	fd = open(self->m.path, O_WRONLY | O_DIRECT | O_CLOEXEC);
	ASSERT_GE(fd, 0);
	mce_fill(self->buf, LEN, NEW, 0);
	ASSERT_EQ(0, mce_arm(self->buf + BAD, &self->phys));
	mce_watch_start(&w);
	ret = pwrite(fd, self->buf, LEN, 0);
	err = errno;
	mce_watch_end(&w, 1);
	say("pwrite", ret, err, &w);
	EXPECT_EQ(-1, ret);
	EXPECT_EQ(EIO, err);
	expect_one(_metadata, &w);
	EXPECT_TRUE(mce_page_offlined(self->phys));
	EXPECT_STREQ("", mce_owner_hears(self->buf + BAD));
	EXPECT_EQ(-1, mce_differs(self->m.file->data, LEN, OLD, 0));
	close(fd);
}

/* Past the page cache, and the server has the new data. */
TEST_F_TIMEOUT(netfs, direct_overwrite, 30)
{
	struct mce_watch w;
	ssize_t ret;
	int fd;

	lose(_metadata, self);
	EXPECT_EQ(-1, pread(self->fd, self->buf, MCE_PAGE, AT));
	EXPECT_EQ(EIO, errno);
	if (fsync(self->fd))
		EXPECT_EQ(EIO, errno);
	fd = open(self->m.path, O_RDWR | O_DIRECT | O_CLOEXEC);
	ASSERT_GE(fd, 0);
	mce_watch_start(&w);
	/* What is around it does not end it. */
	mce_fill(self->buf, LEN, NEW, 0);
	EXPECT_EQ((ssize_t)AT, pwrite(fd, self->buf, AT, 0));
	EXPECT_EQ(-1, pread(self->fd, self->buf, MCE_PAGE, AT));
	mce_fill(self->buf, LEN, NEW, 0);
	EXPECT_EQ((ssize_t)MCE_PAGE, pwrite(fd, self->buf + AT, MCE_PAGE, AT));
	ret = pread(self->fd, self->buf, LEN, 0);
	say("pread", ret, errno, &w);
	EXPECT_EQ((ssize_t)LEN, ret);
	EXPECT_EQ(-1, mce_differs(self->buf, LEN, NEW, 0));
	EXPECT_EQ(100, pwrite(self->fd, self->buf + AT + 10, 100, AT + 10));
	mce_watch_end(&w, 0);
	EXPECT_STREQ("", w.log);
	close(fd);
}

static void wake_up(int sig)
{
}

/*
 * No memory error: the server has less than it had, as it has while what was lost
 * cannot be written to it. Whoever asks for more gets an answer.
 */
TEST_F_TIMEOUT(netfs, direct_read_of_less, 30)
{
	struct sigaction sa = { .sa_handler = wake_up };
	struct mce_watch w;
	ssize_t ret;
	int fd, err;

	fd = open(self->m.path, O_RDONLY | O_DIRECT | O_CLOEXEC);
	ASSERT_GE(fd, 0);
	self->m.file->size = AT + 100;
	ASSERT_EQ(0, sigaction(SIGALRM, &sa, NULL));
	mce_watch_start(&w);
	alarm(5);
	ret = pread(fd, self->buf, LEN, 0);
	err = errno;
	alarm(0);
	mce_watch_end(&w, 0);
	say("pread", ret, err, &w);
	EXPECT_EQ(-1, ret);
	EXPECT_EQ(ENODATA, err);
	/* What it has, it gives. */
	EXPECT_EQ((ssize_t)AT, pread(fd, self->buf, AT, 0));
	EXPECT_EQ(-1, mce_differs(self->buf, AT, OLD, 0));
	EXPECT_STREQ("", w.log);
	close(fd);
}

#include "mce_main.h"
