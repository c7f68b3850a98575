// SPDX-License-Identifier: GPL-2.0
/*
 * A file system in a program: the kernel copies between that program and those
 * who use it.
 *
 * What cannot be copied is an error of the one request, to who waits for it. The
 * owner of the memory hears of it when it touches it.
 */
#define _GNU_SOURCE
#include <sys/mman.h>

#include "../kselftest_harness.h"
#include "mce_fuse.h"
#include "mce_lib.h"

#define SEED	0xf00f
#define NEWER	0xf10f
#define NPAGES	3
#define LEN	(NPAGES * MCE_PAGE)
#define BAD	(MCE_PAGE + 1024)

FIXTURE(fuse)
{
	struct fuse_mount m;
	__u8 *buf;
	int fd;
	__u64 phys;
};

/* A file with known data. */
static int prepare(struct __test_metadata *const _metadata,
		   struct _test_data_fuse *self)
{
	if (mce_pin(0) || fuse_start(&self->m))
		return -1;
	self->fd = open(self->m.path, O_RDWR | O_CLOEXEC);
	self->buf = mmap(NULL, 2 * LEN, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	EXPECT_NE(MAP_FAILED, self->buf);
	mce_fill(self->buf, LEN, SEED, 0);
	EXPECT_EQ((ssize_t)LEN, pwrite(self->fd, self->buf, LEN, 0));
	return 0;
}

FIXTURE_SETUP(fuse)
{
	memset(self, 0, sizeof(*self));
	self->fd = -1;
}

FIXTURE_TEARDOWN(fuse)
{
	mce_retire();
	if (self->fd >= 0) {
		close(self->fd);
		munmap(self->buf, 2 * LEN);
	}
	if (self->m.pid)
		fuse_stop(&self->m);
}

static void told_eio(struct __test_metadata *const _metadata, struct mce_watch *w,
		     const char *what, ssize_t ret, int err)
{
	mce_outcome("%s: %s, %ld #MC", what, ret < 0 ? mce_errname(err) : "NO ERROR",
		    w->mcs);
	EXPECT_EQ(-1, ret);
	EXPECT_EQ(EIO, err);
	EXPECT_EQ(1, w->mcs);
	EXPECT_EQ(1, w->offlined);
	EXPECT_STREQ("", w->log);
}

/* The server's memory goes bad, in an answer. */
TEST_F_TIMEOUT(fuse, reply, 30)
{
	struct mce_watch w;
	ssize_t ret;
	int err;

	self->m.open_flags = FOPEN_DIRECT_IO;
	self->m.bad_reply = sizeof(struct fuse_out_header) + BAD;
	if (prepare(_metadata, self))
		SKIP(return, "no FUSE");
	mce_watch_start(&w);
	ret = pread(self->fd, self->buf, LEN, 0);
	err = errno;
	mce_watch_end(&w, 1);
	told_eio(_metadata, &w, "pread", ret, err);
}

/* The program's memory goes bad, and the server reads from it. */
TEST_F_TIMEOUT(fuse, direct_write, 30)
{
	struct mce_watch w;
	ssize_t ret;
	int err;

	self->m.open_flags = FOPEN_DIRECT_IO;
	if (prepare(_metadata, self))
		SKIP(return, "no FUSE");
	mce_fill(self->buf, LEN, NEWER, 0);
	ASSERT_EQ(0, mce_arm(self->buf + BAD, &self->phys));
	mce_watch_start(&w);
	ret = pwrite(self->fd, self->buf, LEN, 0);
	err = errno;
	mce_watch_end(&w, 1);
	told_eio(_metadata, &w, "pwrite", ret, err);
	EXPECT_TRUE(mce_page_offlined(self->phys));
	EXPECT_STREQ("", mce_owner_hears(self->buf + BAD));
	/* The server goes on, and has what it had. */
	ASSERT_EQ((ssize_t)LEN, pread(self->fd, self->buf + LEN, LEN, 0));
	EXPECT_EQ(-1, mce_differs(self->buf + LEN, LEN, SEED, 0));
}

/* Nobody but the page cache has it. */
TEST_F_TIMEOUT(fuse, writeback, 30)
{
	struct mce_watch w;
	int err, saved, i;

	self->m.flags = FUSE_WRITEBACK_CACHE;
	if (prepare(_metadata, self))
		SKIP(return, "no FUSE");
	ASSERT_EQ(0, fsync(self->fd));
	/* That maps the page for a moment, and FUSE writes when it is unmapped. */
	ASSERT_EQ(0, mce_file_phys(self->fd, BAD, &self->phys));
	mce_fill(self->buf, LEN, NEWER, 0);
	ASSERT_EQ((ssize_t)LEN, pwrite(self->fd, self->buf, LEN, 0));
	mce_watch_start(&w);
	ASSERT_EQ(0, mce_arm_phys(self->phys));
	err = fsync(self->fd);
	saved = errno;
	mce_watch_end(&w, 1);
	told_eio(_metadata, &w, "fsync", err, saved);
	EXPECT_TRUE(mce_page_offlined(self->phys));

	mce_watch_start(&w);
	/* It is told once more that the page is gone. */
	for (i = 0; i < 6 && fsync(self->fd); i++)
		;
	EXPECT_EQ(0, fsync(self->fd));
	mce_drop_caches();
	for (i = 0; i < NPAGES; i++) {
		ssize_t ret = pread(self->fd, self->buf, MCE_PAGE, i * MCE_PAGE);

		if (i == BAD / MCE_PAGE) {
			EXPECT_EQ(-1, ret);
			EXPECT_EQ(EIO, errno);
		} else {
			EXPECT_EQ((ssize_t)MCE_PAGE, ret);
			EXPECT_EQ(-1, mce_differs(self->buf, MCE_PAGE, NEWER,
						  i * MCE_PAGE));
		}
	}
	mce_watch_end(&w, 0);
	EXPECT_EQ(0, w.mcs);
	EXPECT_STREQ("", w.log);
}

#include "mce_main.h"
