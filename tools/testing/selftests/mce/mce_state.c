// SPDX-License-Identifier: GPL-2.0
/*
 * What is lost is lost for everybody, until there is new data.
 *
 * The page is lost by a program's own load here, which stock kernels survive,
 * too. From then on no call may take what the disk has for the file: to clone
 * it, to move it, to clear a part of it, to look for holes in it. And no write
 * that came to nothing may end that.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/falloc.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <unistd.h>

#include "../kselftest_harness.h"
#include "mce_fuse.h"
#include "mce_lib.h"

#define OLD	0x4104			/* what the disk has */
#define NEW	0x5105			/* what was written since */
#define NEWER	0x6106			/* what a case writes after the loss */
#define NPAGES	16
#define TARGET	5
#define AT	(TARGET * MCE_PAGE)

static const char *what(ssize_t ret, int err, const __u8 *buf, size_t len, off_t at)
{
	static char text[64];

	if (ret < 0)
		snprintf(text, sizeof(text), "-%s", mce_errname(err));
	else if ((size_t)ret < len)
		snprintf(text, sizeof(text), "%zd bytes", ret);
	else if (mce_differs(buf, len, OLD, at) < 0)
		snprintf(text, sizeof(text), "STALE data");
	else if (mce_differs(buf, len, NEW, at) < 0)
		snprintf(text, sizeof(text), "the data");
	else if (mce_differs(buf, len, NEWER, at) < 0)
		snprintf(text, sizeof(text), "newer data");
	else
		snprintf(text, sizeof(text), "WRONG data");
	return text;
}

/* The page at @at of @fd has to be what a file with @seed has, or -EIO for 0. */
static void expect_page(struct __test_metadata *const _metadata, int fd,
			__u64 seed, off_t at, const char *when)
{
	__u8 buf[MCE_PAGE];
	ssize_t ret;
	int err;

	memset(buf, 0xee, sizeof(buf));
	ret = pread(fd, buf, MCE_PAGE, at);
	err = errno;
	if (!seed) {
		if (ret != -1 || err != EIO)
			mce_outcome("%s: %s", when, what(ret, err, buf, MCE_PAGE, at));
		EXPECT_EQ(-1, ret) {
			TH_LOG("%s: the page should be lost", when);
		}
		if (ret < 0)
			EXPECT_EQ(EIO, err);
		return;
	}
	if (ret != (ssize_t)MCE_PAGE || mce_differs(buf, MCE_PAGE, seed, at) >= 0)
		mce_outcome("%s, page %ld: %s", when, (long)(at / MCE_PAGE),
			    what(ret, err, buf, MCE_PAGE, at));
	EXPECT_EQ((ssize_t)MCE_PAGE, ret);
	EXPECT_EQ(-1, mce_differs(buf, MCE_PAGE, seed, at));
}

/* Lost through the cache, and past it, also after everything has been dropped. */
static void expect_lost(struct __test_metadata *const _metadata,
			struct mce_file *t, const char *when)
{
	void *buf = aligned_alloc(MCE_PAGE, MCE_PAGE);
	int fd;

	expect_page(_metadata, t->fd, 0, AT, when);
	sync();
	mce_drop_caches();
	expect_page(_metadata, t->fd, 0, AT, when);
	fd = open(t->path, O_RDONLY | O_DIRECT);
	if (fd >= 0) {
		EXPECT_EQ(-1, pread(fd, buf, MCE_PAGE, AT)) {
			mce_outcome("%s: read past the cache", when);
		}
		close(fd);
	}
	free(buf);
}

static void expect_neighbours(struct __test_metadata *const _metadata,
			      struct mce_file *t)
{
	expect_page(_metadata, t->fd, OLD, 0, "first page");
	expect_page(_metadata, t->fd, NEW, AT - MCE_PAGE, "page in front");
	expect_page(_metadata, t->fd, NEW, AT + MCE_PAGE, "page behind");
}

static void write_page(struct __test_metadata *const _metadata,
		       struct mce_file *t, int fd)
{
	mce_fill(t->buf, MCE_PAGE, NEWER, AT);
	ASSERT_EQ((ssize_t)MCE_PAGE, pwrite(fd, t->buf, MCE_PAGE, AT));
	expect_page(_metadata, t->fd, NEWER, AT, "overwritten");
	if (fsync(t->fd))
		EXPECT_EQ(EIO, errno);
	mce_drop_caches();
	expect_page(_metadata, t->fd, NEWER, AT, "overwritten, from the disk");
}

static void write_data(struct __test_metadata *const _metadata, struct mce_file *t,
		       __u64 seed, size_t len, off_t at)
{
	mce_fill(t->buf, len, seed, at);
	ASSERT_EQ((ssize_t)len, pwrite(t->fd, t->buf, len, at));
}

/* All of a large folio is asked for, and four pages come. Return: their source */
static __u8 *write_half_folio(struct __test_metadata *const _metadata, struct mce_file *t,
			      off_t at)
{
	__u8 *buf = mmap(NULL, NPAGES * MCE_PAGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	ASSERT_NE(MAP_FAILED, buf);
	mce_fill(buf, NPAGES * MCE_PAGE, NEW, at);
	ASSERT_EQ(0, mprotect(buf + 4 * MCE_PAGE, (NPAGES - 4) * MCE_PAGE, PROT_NONE));
	ASSERT_EQ(4 * (ssize_t)MCE_PAGE, pwrite(t->fd, buf, NPAGES * MCE_PAGE, at));
	return buf;
}

#define MAX_SYNCS	6

/*
 * The disk meets the error at @at. Return: how many times fsync() failed after it had
 * said so, MAX_SYNCS if it did to the end
 */
static int lose_by_fsync(struct __test_metadata *const _metadata, struct mce_file *t,
			 off_t at)
{
	int i;

	ASSERT_EQ(0, mce_arm_file(t->fd, at + 1024, &t->phys));
	EXPECT_EQ(-1, fsync(t->fd));
	EXPECT_EQ(EIO, errno);
	for (i = 0; i < MAX_SYNCS && fsync(t->fd); i++)
		usleep(100000);
	return i;
}

/* A program has the page mapped, and loads from the bad line. */
static __u8 *lose_mapped(struct __test_metadata *const _metadata,
			 struct mce_file *t, off_t at)
{
	struct mce_sigbus sb;
	__u8 *map;

	map = mmap(NULL, MCE_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, t->fd, at);
	EXPECT_NE(MAP_FAILED, map);
	EXPECT_TRUE(mce_load(map + 1024, NULL, NULL));
	EXPECT_EQ(0, mce_arm(map + 1024, &t->phys));
	EXPECT_FALSE(mce_load(map + 1024, NULL, &sb));
	EXPECT_EQ(BUS_MCEERR_AR, sb.code);
	return map;
}

static void lose(struct __test_metadata *const _metadata, struct mce_file *t)
{
	munmap(lose_mapped(_metadata, t, AT), MCE_PAGE);
}

FIXTURE(state)
{
	struct mce_file t;
	char other[PATH_MAX];
};

FIXTURE_VARIANT(state)
{
	unsigned long fs;
	size_t chunk;
};

FIXTURE_VARIANT_ADD(state, ext4)
{
	.fs = MCE_FS_EXT4,
	.chunk = 1,
};

FIXTURE_VARIANT_ADD(state, xfs)
{
	.fs = MCE_FS_XFS,
	.chunk = 1,
};

FIXTURE_VARIANT_ADD(state, xfs_large)
{
	.fs = MCE_FS_XFS,
	.chunk = 16,
};

FIXTURE_SETUP(state)
{
	int err;

	self->t.fd = -1;
	ASSERT_EQ(0, mce_pin(0));
	if (mce_block_size(variant->fs) > MCE_PAGE)
		SKIP(return, "what is lost is a block, not a page");
	err = mce_file_open(&self->t, variant->fs, NPAGES, variant->chunk, OLD);
	if (err == -ENOENT)
		SKIP(return, "no directory on that file system");
	ASSERT_EQ(0, err);
	snprintf(self->other, sizeof(self->other), "%.4000s.other", self->t.path);
	/* The target and its two neighbours get new data, not yet on disk. */
	write_data(_metadata, &self->t, NEW, 3 * MCE_PAGE, AT - MCE_PAGE);
}

FIXTURE_TEARDOWN(state)
{
	unlink(self->other);
	mce_file_close(&self->t);
}

TEST_F(state, clone)
{
	int fd = open(self->other, O_RDWR | O_CREAT | O_TRUNC, 0600), i;

	ASSERT_GE(fd, 0);
	if (ioctl(fd, FICLONE, self->t.fd) && errno == EOPNOTSUPP)
		SKIP(return, "no clones");
	/* That has written everything out. */
	write_data(_metadata, &self->t, NEW, 3 * MCE_PAGE, AT - MCE_PAGE);
	lose(_metadata, &self->t);
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(-1, ioctl(fd, FICLONE, self->t.fd)) {
			mce_outcome("FICLONE %d: 0", i);
		}
		EXPECT_EQ(EIO, errno);
	}
	expect_lost(_metadata, &self->t, "cloned");
	expect_neighbours(_metadata, &self->t);
	/* What is not lost can be. */
	EXPECT_EQ(0, ioctl(fd, FICLONERANGE, &((struct file_clone_range) {
		.src_fd = self->t.fd, .src_length = AT })));
	expect_page(_metadata, fd, NEW, AT - MCE_PAGE, "clone");
	close(fd);
}

/* A part of the copy is right, and then there is an error, each time. */
TEST_F(state, copy_file_range)
{
	int fd = open(self->other, O_RDWR | O_CREAT | O_TRUNC, 0600), i;
	ssize_t ret;
	off_t from;

	ASSERT_GE(fd, 0);
	lose(_metadata, &self->t);
	if (fsync(self->t.fd))
		EXPECT_EQ(EIO, errno);
	for (i = 0; i < 2; i++) {
		from = AT;
		ret = copy_file_range(self->t.fd, &from, fd, &(off_t){ AT },
				      2 * MCE_PAGE, 0);
		EXPECT_EQ(-1, ret) {
			mce_outcome("copy: %zd", ret);
		}
	}
	from = 0;
	ret = copy_file_range(self->t.fd, &from, fd, &(off_t){ 0 },
			      NPAGES * MCE_PAGE, 0);
	EXPECT_GT(AT + 1, ret);
	if (ret > (ssize_t)AT)
		mce_outcome("copy of all: %zd", ret);
	expect_lost(_metadata, &self->t, "copied");
	close(fd);
}

/* Onto a lost page: it is a good one then. */
TEST_F(state, clone_onto)
{
	int fd = open(self->other, O_RDWR | O_CREAT | O_TRUNC, 0600);
	struct file_clone_range r = {
		.src_fd = fd, .src_offset = AT, .src_length = MCE_PAGE,
		.dest_offset = AT,
	};

	ASSERT_GE(fd, 0);
	mce_fill(self->t.buf, MCE_PAGE, NEWER, AT);
	ASSERT_EQ((ssize_t)MCE_PAGE, pwrite(fd, self->t.buf, MCE_PAGE, AT));
	lose(_metadata, &self->t);
	if (fsync(self->t.fd))
		EXPECT_EQ(EIO, errno);
	if (ioctl(self->t.fd, FICLONERANGE, &r)) {
		if (errno == EOPNOTSUPP)
			SKIP(return, "no clones");
		ASSERT_EQ(0, errno);
	}
	expect_page(_metadata, self->t.fd, NEWER, AT, "cloned onto");
	expect_neighbours(_metadata, &self->t);
	close(fd);
}

TEST_F(state, collapse)
{
	struct mce_watch w;

	lose(_metadata, &self->t);
	if (fsync(self->t.fd))
		EXPECT_EQ(EIO, errno);
	mce_watch_start(&w);
	EXPECT_EQ(-1, fallocate(self->t.fd, FALLOC_FL_COLLAPSE_RANGE, 0, MCE_PAGE)) {
		struct mce_file moved = self->t;

		pread(moved.fd, moved.buf, MCE_PAGE, AT - MCE_PAGE);
		mce_outcome("collapsed: %s", what(MCE_PAGE, 0, moved.buf, MCE_PAGE, AT));
	}
	EXPECT_EQ(EIO, errno);
	expect_lost(_metadata, &self->t, "collapse");
	expect_neighbours(_metadata, &self->t);
	/* The lost page itself can be taken out. */
	EXPECT_EQ(0, fallocate(self->t.fd, FALLOC_FL_COLLAPSE_RANGE, AT, MCE_PAGE));
	EXPECT_EQ((ssize_t)MCE_PAGE, pread(self->t.fd, self->t.buf, MCE_PAGE, AT));
	EXPECT_EQ(-1, mce_differs(self->t.buf, MCE_PAGE, NEW, AT + MCE_PAGE));
	mce_watch_end(&w, 0);
	EXPECT_STREQ("", w.log);
}

TEST_F(state, insert)
{
	lose(_metadata, &self->t);
	if (fsync(self->t.fd))
		EXPECT_EQ(EIO, errno);
	EXPECT_EQ(-1, fallocate(self->t.fd, FALLOC_FL_INSERT_RANGE, 0, MCE_PAGE)) {
		pread(self->t.fd, self->t.buf, MCE_PAGE, AT + MCE_PAGE);
		mce_outcome("inserted: %s", what(MCE_PAGE, 0, self->t.buf, MCE_PAGE, AT));
	}
	EXPECT_EQ(EIO, errno);
	expect_lost(_metadata, &self->t, "insert");
	EXPECT_EQ(0, fallocate(self->t.fd, FALLOC_FL_INSERT_RANGE, AT + MCE_PAGE,
			       MCE_PAGE));
	expect_lost(_metadata, &self->t, "insert behind");
}

static void clear_part(struct __test_metadata *const _metadata,
		       struct mce_file *t, int mode)
{
	size_t i;

	lose(_metadata, t);
	if (fsync(t->fd))
		EXPECT_EQ(EIO, errno);
	EXPECT_EQ(-1, fallocate(t->fd, mode | FALLOC_FL_KEEP_SIZE, AT + 100, 50)) {
		mce_outcome("a part of it cleared");
	}
	EXPECT_EQ(EIO, errno);
	expect_lost(_metadata, t, "cleared in part");
	/* From the middle of one page to that of another. */
	EXPECT_EQ(-1, fallocate(t->fd, mode | FALLOC_FL_KEEP_SIZE, AT + 100,
				MCE_PAGE));
	expect_lost(_metadata, t, "cleared in part");
	expect_neighbours(_metadata, t);
	EXPECT_EQ(0, fallocate(t->fd, mode | FALLOC_FL_KEEP_SIZE, AT - 100,
			       MCE_PAGE + 200));
	ASSERT_EQ((ssize_t)MCE_PAGE, pread(t->fd, t->buf, MCE_PAGE, AT));
	for (i = 0; i < MCE_PAGE; i++)
		ASSERT_EQ(0, t->buf[i]);
}

TEST_F(state, punch)
{
	clear_part(_metadata, &self->t, FALLOC_FL_PUNCH_HOLE);
}

TEST_F(state, zero)
{
	clear_part(_metadata, &self->t, FALLOC_FL_ZERO_RANGE);
}

/* What is behind the page has to stay where it is, whatever the disk has. */
TEST_F(state, seek)
{
	off_t at;

	ASSERT_EQ(0, ftruncate(self->t.fd, 0));
	ASSERT_EQ(0, fallocate(self->t.fd, 0, 0, NPAGES * MCE_PAGE));
	ASSERT_EQ(0, fsync(self->t.fd));
	write_data(_metadata, &self->t, NEW, MCE_PAGE, AT);
	ASSERT_EQ((off_t)AT, lseek(self->t.fd, 0, SEEK_DATA));
	lose(_metadata, &self->t);
	sync();
	at = lseek(self->t.fd, 0, SEEK_DATA);
	EXPECT_EQ((off_t)AT, at) {
		mce_outcome("SEEK_DATA: %ld", (long)at);
	}
	EXPECT_EQ((off_t)AT, lseek(self->t.fd, 0, SEEK_CUR));
	EXPECT_EQ((off_t)AT + 7, lseek(self->t.fd, AT + 7, SEEK_DATA));
	EXPECT_EQ((off_t)(AT + MCE_PAGE), lseek(self->t.fd, AT + 7, SEEK_HOLE));
	EXPECT_EQ(0, lseek(self->t.fd, 0, SEEK_HOLE));
	EXPECT_EQ(-1, lseek(self->t.fd, AT + MCE_PAGE, SEEK_DATA));
	EXPECT_EQ(ENXIO, errno);
	EXPECT_EQ(-1, lseek(self->t.fd, NPAGES * MCE_PAGE, SEEK_DATA));
}

TEST_F(state, fiemap)
{
	struct {
		struct fiemap map;
		struct fiemap_extent extent[8];
	} f = { .map = {
		.fm_length = NPAGES * MCE_PAGE, .fm_flags = FIEMAP_FLAG_SYNC,
		.fm_extent_count = 8,
	} };

	lose(_metadata, &self->t);
	if (fsync(self->t.fd))
		EXPECT_EQ(EIO, errno);
	EXPECT_EQ(-1, ioctl(self->t.fd, FS_IOC_FIEMAP, &f)) {
		mce_outcome("fiemap: 0");
	}
	EXPECT_EQ(EIO, errno);
}

/* The new data ends in the middle of the page. */
TEST_F(state, short_write)
{
	struct mce_watch w;
	__u8 *buf;
	ssize_t ret;

	buf = mmap(NULL, 2 * MCE_PAGE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	ASSERT_NE(MAP_FAILED, buf);
	ASSERT_EQ(0, mprotect(buf + MCE_PAGE, MCE_PAGE, PROT_NONE));
	memset(buf, 0x77, MCE_PAGE);
	lose(_metadata, &self->t);
	mce_watch_start(&w);
	ret = pwrite(self->t.fd, buf + MCE_PAGE - 100, MCE_PAGE, AT);
	if (ret >= 0)
		mce_outcome("short write: %zd", ret);
	expect_lost(_metadata, &self->t, "written in part");
	/* And with a page in front that is written well. */
	ret = pwrite(self->t.fd, buf, MCE_PAGE + 100, AT - MCE_PAGE);
	EXPECT_EQ((ssize_t)MCE_PAGE, ret);
	expect_lost(_metadata, &self->t, "written in part once more");
	write_page(_metadata, &self->t, self->t.fd);
	mce_watch_end(&w, 0);
	EXPECT_STREQ("", w.log);
	munmap(buf, 2 * MCE_PAGE);
}

/*
 * The caller's memory is bad from a line on, and nothing of the page is cached: the
 * file system takes no part of a page that it has not read, so what was in front
 * of the line is copied once more. The page must not have what the call does not
 * own up to.
 */
TEST_F(state, bad_source)
{
	const size_t len = 1900, good = 15 * MCE_LINE;
	const off_t at = AT + 100;
	struct mce_watch w;
	__u8 *buf, *page;
	ssize_t ret;
	int err, i;

	buf = mmap(NULL, MCE_PAGE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	page = malloc(MCE_PAGE);
	ASSERT_NE(MAP_FAILED, buf);
	ASSERT_NE(NULL, page);
	mce_fill(buf, len, NEWER, at);
	ASSERT_EQ(0, fsync(self->t.fd));
	mce_drop_caches();
	ASSERT_EQ(0, mce_arm(buf + good, &self->t.phys));
	mce_watch_start(&w);
	ret = pwrite(self->t.fd, buf, len, at);
	err = errno;
	mce_watch_end(&w, 1);
	if (ret < 0)
		mce_outcome("pwrite: -%s, %ld #MC", mce_errname(err), w.mcs);
	else
		mce_outcome("pwrite: %zd bytes, %ld #MC", ret, w.mcs);
	EXPECT_EQ((ssize_t)good, ret);
	EXPECT_EQ(mce_expected("MCE_EXPECT_MCS", 1), w.mcs);
	EXPECT_STREQ("", w.log);
	for (i = 0; i < 2; i++) {
		ASSERT_EQ((ssize_t)MCE_PAGE, pread(self->t.fd, page, MCE_PAGE, AT));
		EXPECT_EQ(-1, mce_differs(page, 100, NEW, AT));
		EXPECT_EQ(-1, mce_differs(page + 100, good, NEWER, at));
		EXPECT_EQ(-1, mce_differs(page + 100 + good, MCE_PAGE - 100 - good, NEW,
					  at + good)) {
			mce_outcome("more was written than said");
		}
		EXPECT_EQ(0, fsync(self->t.fd));
		mce_drop_caches();
	}
	munmap(buf, MCE_PAGE);
	free(page);
}

/* And the same past the page cache. */
TEST_F(state, failed_direct_write)
{
	int fd = open(self->t.path, O_RDWR | O_DIRECT);
	struct mce_watch w;
	__u8 *buf;

	ASSERT_GE(fd, 0);
	buf = mmap(NULL, 2 * MCE_PAGE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	ASSERT_NE(MAP_FAILED, buf);
	ASSERT_EQ(0, mprotect(buf + MCE_PAGE, MCE_PAGE, PROT_NONE));
	lose(_metadata, &self->t);
	mce_watch_start(&w);
	EXPECT_EQ(-1, pwrite(fd, buf + MCE_PAGE, MCE_PAGE, AT));
	expect_lost(_metadata, &self->t, "not written");
	write_page(_metadata, &self->t, fd);
	expect_neighbours(_metadata, &self->t);
	mce_watch_end(&w, 0);
	EXPECT_STREQ("", w.log);
	munmap(buf, 2 * MCE_PAGE);
	close(fd);
}

/* Who has it mapped sees what was written. */
TEST_F(state, mapped)
{
	__u8 *map = lose_mapped(_metadata, &self->t, AT), val;
	struct mce_sigbus sb;

	EXPECT_FALSE(mce_load(map + 5, &val, &sb));
	EXPECT_EQ(BUS_MCEERR_AR, sb.code);
	write_page(_metadata, &self->t, self->t.fd);
	EXPECT_TRUE(mce_load(map + 5, &val, &sb)) {
		mce_outcome("mapping: SIGBUS %s", mce_codename(sb.code));
	}
	if (!sb.count)
		EXPECT_EQ(-1, mce_differs(map, MCE_PAGE, NEWER, AT));
	munmap(map, MCE_PAGE);
}

/* A private copy of the program's own is not to be had again. */
TEST_F(state, mapped_private)
{
	struct mce_sigbus sb;
	__u8 *map;

	map = mmap(NULL, MCE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, self->t.fd, AT);
	ASSERT_NE(MAP_FAILED, map);
	map[1024] = 1;
	ASSERT_EQ(0, mce_arm(map + 1024, NULL));
	EXPECT_FALSE(mce_load(map + 1024, NULL, &sb));
	write_page(_metadata, &self->t, self->t.fd);
	EXPECT_FALSE(mce_load(map + 1024, NULL, &sb));
	EXPECT_EQ(BUS_MCEERR_AR, sb.code);
	munmap(map, MCE_PAGE);
}

/* The disk meets it, in a file whose blocks are those of another, too. */
TEST_F(state, reflink)
{
	int fd = open(self->other, O_RDWR | O_CREAT | O_TRUNC, 0600), i;
	struct mce_watch w;

	ASSERT_GE(fd, 0);
	write_data(_metadata, &self->t, OLD, NPAGES * MCE_PAGE, 0);
	ASSERT_EQ(0, fsync(self->t.fd));
	if (ioctl(fd, FICLONE, self->t.fd))
		SKIP(return, "no clones");
	write_data(_metadata, &self->t, NEW, 3 * MCE_PAGE, AT - MCE_PAGE);
	mce_watch_start(&w);
	lose_by_fsync(_metadata, &self->t, AT);
	mce_drop_caches();
	for (i = 0; i < NPAGES; i++)
		expect_page(_metadata, fd, OLD, i * MCE_PAGE, "the other file");
	expect_neighbours(_metadata, &self->t);
	expect_page(_metadata, self->t.fd, 0, AT, "read");
	mce_watch_end(&w, 1);
	EXPECT_STREQ("", w.log);
	close(fd);
}

/*
 * The copy-on-write of a page failed, the page was cut out, and a part of it is
 * written: the rest is zeroes, not what the disk has in the blocks that were to
 * take the copy.
 */
TEST_F_TIMEOUT(state, reflink_then_hole, 90)
{
	const size_t filler = 4 << 20, len = 100;
	int fd, i;
	__u8 *big;

	fd = open(self->other, O_RDWR | O_CREAT | O_TRUNC, 0600);
	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, fsync(self->t.fd));
	if (ioctl(fd, FICLONE, self->t.fd))
		SKIP(return, "no clones");
	/* What will be free is not zeroes. */
	big = malloc(filler);
	ASSERT_NE(NULL, big);
	memset(big, 0xdd, filler);
	ASSERT_EQ(0, ftruncate(fd, 0));
	ASSERT_EQ((ssize_t)filler, pwrite(fd, big, filler, 0));
	ASSERT_EQ(0, fsync(fd));
	ASSERT_EQ(0, ftruncate(fd, 0));
	sync();
	ASSERT_EQ(0, ioctl(fd, FICLONE, self->t.fd));

	write_data(_metadata, &self->t, NEWER, 3 * MCE_PAGE, AT - MCE_PAGE);
	lose_by_fsync(_metadata, &self->t, AT);
	expect_page(_metadata, self->t.fd, 0, AT, "read");
	ASSERT_EQ(0, fallocate(self->t.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, AT,
			       MCE_PAGE));
	ASSERT_EQ((ssize_t)len, pwrite(self->t.fd, self->t.buf, len, AT + 500));
	ASSERT_EQ((ssize_t)MCE_PAGE, pread(self->t.fd, big, MCE_PAGE, AT));
	EXPECT_EQ(0, memcmp(big + 500, self->t.buf, len));
	memset(big + 500, 0, len);
	for (i = 0; i < (int)MCE_PAGE && !big[i]; i++)
		;
	EXPECT_EQ((int)MCE_PAGE, i) {
		mce_outcome("a hole has %02x, of another file", big[i]);
	}
	for (i = 0; i < NPAGES; i++)
		expect_page(_metadata, fd, i < TARGET - 1 || i > TARGET + 1 ? OLD : NEW,
			    i * MCE_PAGE, "the other file");
	close(fd);
	free(big);
}

/* A write failed, the next one did not: from then on the disk has it. */
TEST_F(state, written_after_all)
{
	struct mce_watch w;

	EXPECT_GT(MAX_SYNCS, lose_by_fsync(_metadata, &self->t, AT));
	mce_watch_start(&w);
	ASSERT_EQ(0, mce_arm_file(self->t.fd, AT + MCE_PAGE + 1024, NULL));
	expect_page(_metadata, self->t.fd, NEW, AT + MCE_PAGE, "written later");
	mce_watch_end(&w, 1);
	EXPECT_STREQ("", w.log);
}

/*
 * Blocks that are unwritten and blocks that are not are written one by one, and the
 * disk gets them as one. It fails as one.
 */
TEST_F(state, neighbour_in_request)
{
	struct mce_watch w;
	__u8 *map, val;
	int i;

	ASSERT_EQ(0, ftruncate(self->t.fd, 0));
	ASSERT_EQ(0, fallocate(self->t.fd, 0, 0, NPAGES * MCE_PAGE));
	write_data(_metadata, &self->t, OLD, MCE_PAGE, AT);
	ASSERT_EQ(0, fsync(self->t.fd));
	posix_fadvise(self->t.fd, 0, 0, POSIX_FADV_DONTNEED);
	for (i = -1; i <= 1; i++)
		write_data(_metadata, &self->t, NEW, MCE_PAGE, AT + i * MCE_PAGE);
	mce_watch_start(&w);
	EXPECT_GT(MAX_SYNCS, lose_by_fsync(_metadata, &self->t, AT));
	mce_drop_caches();
	expect_page(_metadata, self->t.fd, NEW, AT - MCE_PAGE, "page in front");
	expect_page(_metadata, self->t.fd, NEW, AT + MCE_PAGE, "page behind");
	expect_page(_metadata, self->t.fd, 0, AT, "read");
	mce_watch_end(&w, 1);
	EXPECT_STREQ("", w.log);

	/* They are on the disk, too: one that goes bad now is read again. */
	mce_watch_start(&w);
	map = mmap(NULL, MCE_PAGE, PROT_READ, MAP_SHARED, self->t.fd, AT + MCE_PAGE);
	ASSERT_NE(MAP_FAILED, map);
	ASSERT_EQ(0, mce_arm_file(self->t.fd, AT + MCE_PAGE + 1024, NULL));
	EXPECT_TRUE(mce_load(map + 1024, &val, NULL));
	expect_page(_metadata, self->t.fd, NEW, AT + MCE_PAGE, "written later");
	mce_watch_end(&w, 1);
	EXPECT_STREQ("", w.log);
	munmap(map, MCE_PAGE);
}

/* Whoever held the folio has let go of it, and nobody reads the page. */
TEST_F(state, held_then_written)
{
	loff_t off = AT + MCE_PAGE;
	struct mce_watch w;
	int fds[2], i;

	if (variant->chunk == 1)
		SKIP(return, "no large folios");
	write_data(_metadata, &self->t, NEW, NPAGES * MCE_PAGE, 0);
	ASSERT_EQ(0, pipe(fds));
	ASSERT_EQ((ssize_t)MCE_PAGE, splice(self->t.fd, &off, fds[1], NULL, MCE_PAGE, 0));
	ASSERT_EQ(0, mce_arm_file(self->t.fd, AT + 1024, &self->t.phys));
	mce_watch_start(&w);
	expect_page(_metadata, self->t.fd, 0, AT, "read");
	EXPECT_EQ(-1, fsync(self->t.fd));
	EXPECT_EQ(EIO, errno);
	close(fds[0]);
	close(fds[1]);
	for (i = 0; i < 10 && fsync(self->t.fd); i++)
		usleep(100000);
	EXPECT_GT(10, i) {
		mce_outcome("fsync: -EIO for ever");
	}
	mce_drop_caches();
	for (i = 0; i < NPAGES; i++)
		expect_page(_metadata, self->t.fd, i == TARGET ? 0 : NEW, i * MCE_PAGE,
			    "afterwards");
	mce_watch_end(&w, 1);
	EXPECT_STREQ("", w.log);
}

/* A large folio that is dirty, but not where its bad page is: that is on the disk. */
TEST_F(state, dirty_elsewhere)
{
	struct mce_watch w;
	int i, round;

	if (variant->chunk == 1)
		SKIP(return, "no large folios");
	write_data(_metadata, &self->t, NEW, NPAGES * MCE_PAGE, 0);
	ASSERT_EQ(0, fsync(self->t.fd));
	write_data(_metadata, &self->t, NEWER, MCE_PAGE, 0);
	ASSERT_EQ(0, mce_arm_file(self->t.fd, AT + 1024, &self->t.phys));
	mce_watch_start(&w);
	for (round = 0; round < 2; round++) {
		expect_page(_metadata, self->t.fd, NEW, AT, "not dirty");
		for (i = 0; i < NPAGES; i++)
			expect_page(_metadata, self->t.fd, i ? NEW : NEWER, i * MCE_PAGE,
				    "beside it");
		EXPECT_EQ(0, fsync(self->t.fd));
		mce_drop_caches();
	}
	mce_watch_end(&w, 1);
	EXPECT_EQ(mce_expected("MCE_EXPECT_MCS", 1), w.mcs);
	EXPECT_STREQ("", w.log);
}

/* A large folio that is dirty in front and not there behind. */
TEST_F(state, half_folio)
{
	__u8 *buf;
	int i;

	if (variant->chunk == 1)
		SKIP(return, "no large folios");
	ASSERT_EQ(0, fsync(self->t.fd));
	ASSERT_EQ(0, ftruncate(self->t.fd, 0));
	write_data(_metadata, &self->t, OLD, NPAGES * MCE_PAGE, 0);
	ASSERT_EQ(0, fsync(self->t.fd));
	posix_fadvise(self->t.fd, 0, 0, POSIX_FADV_DONTNEED);
	buf = write_half_folio(_metadata, &self->t, 0);
	/* To map it would read all of the folio. */
	if (mce_find_cached(buf + 2 * MCE_PAGE + 1024, 128, &self->t.phys) < 1)
		SKIP(return, "cannot find the page");
	ASSERT_EQ(0, mce_arm_phys(self->t.phys));
	expect_page(_metadata, self->t.fd, 0, 2 * MCE_PAGE, "bad page");
	for (i = 0; i < NPAGES; i++) {
		if (i != 2)
			expect_page(_metadata, self->t.fd, i < 4 ? NEW : OLD,
				    i * MCE_PAGE, "half a folio");
	}
	EXPECT_EQ(0, ftruncate(self->t.fd, 8 * MCE_PAGE));
	sync();
	mce_drop_caches();
	for (i = 0; i < 8; i++)
		expect_page(_metadata, self->t.fd, i == 2 ? 0 : i < 4 ? NEW : OLD,
			    i * MCE_PAGE, "the rest of it");
	munmap(buf, NPAGES * MCE_PAGE);
}

/* The rest of a folio is not there, and it is behind the folio with the bad page. */
TEST_F(state, neighbour_half_folio)
{
	const off_t next = NPAGES * MCE_PAGE;
	struct mce_watch w;
	__u8 *buf;
	int i;

	if (variant->chunk == 1)
		SKIP(return, "no large folios");
	write_data(_metadata, &self->t, OLD, NPAGES * MCE_PAGE, next);
	ASSERT_EQ(0, fsync(self->t.fd));
	mce_drop_caches();
	write_data(_metadata, &self->t, NEW, NPAGES * MCE_PAGE, 0);
	buf = write_half_folio(_metadata, &self->t, next);
	mce_watch_start(&w);
	EXPECT_GT(MAX_SYNCS, lose_by_fsync(_metadata, &self->t, AT));
	mce_drop_caches();
	for (i = 0; i < 2 * NPAGES; i++)
		expect_page(_metadata, self->t.fd, i == TARGET ? 0 :
			    i < NPAGES + 4 ? NEW : OLD, i * MCE_PAGE, "afterwards");
	mce_watch_end(&w, 1);
	EXPECT_STREQ("", w.log);
	munmap(buf, NPAGES * MCE_PAGE);
}

/*
 * The last page has a few bytes only. With blocks of 1 KiB it is not up to date then,
 * and it is in one write with the bad page in front of it.
 */
TEST_F(state, end_of_file)
{
	const off_t at = NPAGES * MCE_PAGE;
	const size_t len = 500;
	struct mce_watch w;

	ASSERT_EQ(0, ftruncate(self->t.fd, at - MCE_PAGE));
	ASSERT_EQ(0, fsync(self->t.fd));
	write_data(_metadata, &self->t, NEW, MCE_PAGE + len, at - MCE_PAGE);
	mce_watch_start(&w);
	EXPECT_GT(MAX_SYNCS, lose_by_fsync(_metadata, &self->t, at - MCE_PAGE));
	mce_drop_caches();
	expect_page(_metadata, self->t.fd, 0, at - MCE_PAGE, "bad page");
	memset(self->t.buf, 0, MCE_PAGE);
	EXPECT_EQ((ssize_t)len, pread(self->t.fd, self->t.buf, MCE_PAGE, at));
	EXPECT_EQ(-1, mce_differs(self->t.buf, len, NEW, at)) {
		mce_outcome("the end: %s", self->t.buf[8] ? "other data" : "zeroes");
	}
	mce_watch_end(&w, 1);
	EXPECT_STREQ("", w.log);
}

/* Lines of the kernel's log since @kmsg was positioned that have @what */
static int log_count(int kmsg, const char *what)
{
	char text[1024];
	ssize_t len;
	int n = 0;

	while ((len = read(kmsg, text, sizeof(text) - 1)) > 0 || errno == EPIPE) {
		text[len > 0 ? len : 0] = '\0';
		n += !!strstr(text, what);
	}
	return n;
}

#define NR_LOST		"/sys/kernel/mm/hwpoison/lost_pages"
#define NR_EVICTED	"/sys/kernel/mm/hwpoison/evicted_pages"

/* After an unmount the older data on the disk is the file: that is told. */
TEST(eviction_tells)
{
	char dir[] = "/tmp/mce-state-XXXXXX";
	long lost = mce_get(NR_LOST), evicted = mce_get(NR_EVICTED);
	struct mce_file t = { .pages = 2 };
	int kmsg, n;

	ASSERT_EQ(0, mce_pin(0));
	if (system("mke2fs -b 1024 /dev/ram6 >/dev/null 2>&1"))
		SKIP(return, "no mke2fs, or no RAM disk");
	ASSERT_NE(NULL, mkdtemp(dir));
	if (mount("/dev/ram6", dir, "ext2", 0, NULL) &&
	    mount("/dev/ram6", dir, "ext4", 0, NULL)) {
		rmdir(dir);
		SKIP(return, "no ext2");
	}
	snprintf(t.path, sizeof(t.path), "%s/evicted", dir);
	t.fd = mce_file_create(t.path, 2, 1, OLD);
	ASSERT_GE(t.fd, 0);
	t.buf = malloc(2 * MCE_PAGE);
	mce_fill(t.buf, 2 * MCE_PAGE, NEW, 0);
	ASSERT_EQ(2 * (ssize_t)MCE_PAGE, pwrite(t.fd, t.buf, 2 * MCE_PAGE, 0));
	kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK);
	ASSERT_GE(kmsg, 0);
	lseek(kmsg, 0, SEEK_END);

	munmap(lose_mapped(_metadata, &t, MCE_PAGE), MCE_PAGE);
	expect_page(_metadata, t.fd, 0, MCE_PAGE, "read");
	EXPECT_EQ(1, log_count(kmsg, "/evicted: bytes 4096 to 8191 are lost"));
	EXPECT_EQ(lost + 1, mce_get(NR_LOST));
	close(t.fd);
	/* Nobody uses the inode, but it stays. */
	mce_drop_caches();
	EXPECT_EQ(0, log_count(kmsg, "bytes 4096 to 8191"));
	EXPECT_EQ(lost + 1, mce_get(NR_LOST));
	EXPECT_EQ(evicted, mce_get(NR_EVICTED));
	EXPECT_EQ(0, umount(dir));
	n = log_count(kmsg, "bytes 4096 to 8191 were lost, the disk has older data");
	EXPECT_EQ(1, n) {
		mce_outcome("the log does not tell");
	}
	EXPECT_EQ(lost, mce_get(NR_LOST));
	EXPECT_EQ(evicted + 1, mce_get(NR_EVICTED));
	close(kmsg);
	rmdir(dir);
	free(t.buf);
}

FIXTURE(state_shmem)
{
	struct mce_file t;
};

FIXTURE_SETUP(state_shmem)
{
	int err;

	ASSERT_EQ(0, mce_pin(0));
	err = mce_file_open(&self->t, MCE_FS_TMPFS, NPAGES, 1, NEW);
	if (err == -ENOENT)
		SKIP(return, "no tmpfs");
	ASSERT_EQ(0, err);
}

FIXTURE_TEARDOWN(state_shmem)
{
	mce_file_close(&self->t);
}

TEST_F(state_shmem, overwrite)
{
	__u8 *map = lose_mapped(_metadata, &self->t, AT), *part;
	struct mce_sigbus sb;
	struct mce_watch w;
	int i;

	expect_page(_metadata, self->t.fd, 0, AT, "read");
	mce_watch_start(&w);
	/* A part of it does not help, and neither does what ends too early. */
	EXPECT_EQ(-1, pwrite(self->t.fd, self->t.buf, 100, AT));
	expect_page(_metadata, self->t.fd, 0, AT, "written in part");
	part = mmap(NULL, 2 * MCE_PAGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	ASSERT_EQ(0, mprotect(part + MCE_PAGE, MCE_PAGE, PROT_NONE));
	EXPECT_EQ(-1, pwrite(self->t.fd, part + MCE_PAGE - 100, MCE_PAGE, AT));
	munmap(part, 2 * MCE_PAGE);
	expect_page(_metadata, self->t.fd, 0, AT, "write that ends too early");
	EXPECT_FALSE(mce_load(map + 5, NULL, &sb));

	mce_fill(self->t.buf, MCE_PAGE, NEWER, AT);
	EXPECT_EQ((ssize_t)MCE_PAGE, pwrite(self->t.fd, self->t.buf, MCE_PAGE, AT));
	expect_page(_metadata, self->t.fd, NEWER, AT, "overwritten");
	EXPECT_TRUE(mce_load(map + 5, NULL, &sb)) {
		mce_outcome("mapping: SIGBUS %s", mce_codename(sb.code));
	}
	if (!sb.count)
		EXPECT_EQ(-1, mce_differs(map, MCE_PAGE, NEWER, AT));
	for (i = 0; i < NPAGES; i++)
		expect_page(_metadata, self->t.fd, i == TARGET ? NEWER : NEW,
			    i * MCE_PAGE, "afterwards");
	mce_watch_end(&w, 0);
	EXPECT_STREQ("", w.log);
	munmap(map, MCE_PAGE);
}

/* The page behind the lost one is good, and written in part. */
TEST_F(state_shmem, short_write_behind)
{
	__u8 *part;
	ssize_t ret;
	size_t i;

	munmap(lose_mapped(_metadata, &self->t, AT), MCE_PAGE);
	expect_page(_metadata, self->t.fd, 0, AT, "read");
	part = mmap(NULL, 3 * MCE_PAGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	ASSERT_NE(MAP_FAILED, part);
	ASSERT_EQ(0, mprotect(part + 2 * MCE_PAGE, MCE_PAGE, PROT_NONE));
	mce_fill(part + MCE_PAGE - 100, MCE_PAGE + 100, NEWER, AT);
	ret = pwrite(self->t.fd, part + MCE_PAGE - 100, 2 * MCE_PAGE, AT);
	EXPECT_EQ((ssize_t)(MCE_PAGE + 100), ret);
	expect_page(_metadata, self->t.fd, NEWER, AT, "overwritten");
	ASSERT_EQ((ssize_t)MCE_PAGE, pread(self->t.fd, self->t.buf, MCE_PAGE,
					   AT + MCE_PAGE));
	EXPECT_EQ(-1, mce_differs(self->t.buf, 100, NEWER, AT + MCE_PAGE));
	i = mce_differs(self->t.buf + 100, MCE_PAGE - 100, NEW, AT + MCE_PAGE + 100);
	EXPECT_EQ((size_t)-1, i) {
		mce_outcome("the rest of the page behind is WRONG");
	}
	munmap(part, 3 * MCE_PAGE);
}

FIXTURE(state_fuse)
{
	struct fuse_mount m;
	struct mce_file t;
};

FIXTURE_VARIANT(state_fuse)
{
	const char *disk;
};

FIXTURE_VARIANT_ADD(state_fuse, nodev)
{
};

/* A disk alone does not make it a file system whose files can be read by anybody. */
FIXTURE_VARIANT_ADD(state_fuse, disk)
{
	.disk = "/dev/ram7",
};

FIXTURE_SETUP(state_fuse)
{
	memset(self, 0, sizeof(*self));
	self->t.fd = -1;
	self->t.buf = mmap(NULL, NPAGES * MCE_PAGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	ASSERT_NE(MAP_FAILED, self->t.buf);
	ASSERT_EQ(0, mce_pin(0));
	self->m.disk = variant->disk;
	if (fuse_start(&self->m))
		SKIP(return, "no FUSE");
	self->t.fd = open(self->m.path, O_RDWR | O_CLOEXEC);
	ASSERT_GE(self->t.fd, 0);
	write_data(_metadata, &self->t, OLD, NPAGES * MCE_PAGE, 0);
}

FIXTURE_TEARDOWN(state_fuse)
{
	mce_retire();
	close(self->t.fd);
	munmap(self->t.buf, NPAGES * MCE_PAGE);
	if (self->m.pid)
		fuse_stop(&self->m);
}

/* The server's data is the older one. */
static void dirty(void *addr)
{
	((volatile __u8 *)addr)[0]++;
}

static void lose_fuse(struct __test_metadata *const _metadata, struct mce_file *t)
{
	struct mce_sigbus sb;
	int tries;
	__u8 *map;

	map = mmap(NULL, MCE_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, t->fd, AT);
	ASSERT_NE(MAP_FAILED, map);
	/* FUSE may have few dirty pages: one can be written back before it is armed. */
	for (tries = 0; tries < 10; tries++) {
		mce_fill(map, MCE_PAGE, NEW, AT);
		ASSERT_EQ(0, mce_arm(map + 1024, &t->phys));
		/* Writing it back may have met the line already: then the page is lost. */
		if (!mce_guard(dirty, map, &sb) || !mce_load(map + 1024, NULL, &sb))
			break;
	}
	EXPECT_LT(tries, 10);
	munmap(map, MCE_PAGE);
}

TEST_F_TIMEOUT(state_fuse, reopen, 30)
{
	int fd;

	lose_fuse(_metadata, &self->t);
	expect_page(_metadata, self->t.fd, 0, AT, "read");
	fd = open(self->m.path, O_RDWR);
	ASSERT_GE(fd, 0);
	expect_page(_metadata, fd, 0, AT, "read of the second descriptor");
	expect_page(_metadata, self->t.fd, 0, AT, "read after a second open");
	close(fd);
	mce_drop_caches();
	expect_page(_metadata, self->t.fd, 0, AT, "read after drop_caches");
}

TEST_F_TIMEOUT(state_fuse, overwrite, 30)
{
	lose_fuse(_metadata, &self->t);
	EXPECT_EQ(-1, pwrite(self->t.fd, self->t.buf, 100, AT));
	EXPECT_EQ(EIO, errno);
	mce_fill(self->t.buf, MCE_PAGE, NEWER, AT);
	EXPECT_EQ((ssize_t)MCE_PAGE, pwrite(self->t.fd, self->t.buf, MCE_PAGE, AT)) {
		mce_outcome("overwrite: -%s", mce_errname(errno));
	}
	expect_page(_metadata, self->t.fd, NEWER, AT, "overwritten");
	posix_fadvise(self->t.fd, 0, 0, POSIX_FADV_DONTNEED);
	expect_page(_metadata, self->t.fd, NEWER, AT, "overwritten, from the server");
	expect_page(_metadata, self->t.fd, OLD, AT + MCE_PAGE, "page behind");
}

/* Who reads the pipe has no file that the page could be read again from. */
TEST_F_TIMEOUT(state_fuse, pipe, 30)
{
	struct mce_watch w;
	loff_t off = AT;
	int fds[2], i;

	ASSERT_EQ(0, pipe(fds));
	ASSERT_EQ(0, mce_file_phys(self->t.fd, AT + 1024, &self->t.phys));
	ASSERT_EQ(2 * (ssize_t)MCE_PAGE, splice(self->t.fd, &off, fds[1], NULL,
						2 * MCE_PAGE, 0));
	ASSERT_EQ(0, mce_arm_phys(self->t.phys));
	mce_watch_start(&w);
	EXPECT_EQ(1024, read(fds[0], self->t.buf, MCE_PAGE));
	EXPECT_EQ(-1, read(fds[0], self->t.buf, MCE_PAGE));
	EXPECT_EQ(EIO, errno);
	EXPECT_EQ((ssize_t)MCE_PAGE, read(fds[0], self->t.buf, MCE_PAGE));
	EXPECT_EQ(-1, mce_differs(self->t.buf, MCE_PAGE, OLD, AT + MCE_PAGE));
	close(fds[0]);
	close(fds[1]);
	for (i = 0; i < NPAGES; i++)
		expect_page(_metadata, self->t.fd, OLD, i * MCE_PAGE, "read");
	mce_watch_end(&w, 1);
	EXPECT_EQ(1, w.mcs);
	EXPECT_STREQ("", w.log);
}

#include "mce_main.h"
