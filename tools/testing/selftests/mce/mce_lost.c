// SPDX-License-Identifier: GPL-2.0
/*
 * The only good copy of a page of a file is gone.
 *
 * A dirty page holds what nobody else has. When it goes bad, that range of the
 * file is lost, and stays lost until somebody overwrites it as a whole or cuts
 * it off. What the disk has for it is older data: handing that out, through
 * whatever door, is worse than an error. So is every zero.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../kselftest_harness.h"
#include "mce_lib.h"

#define OLD	0x4004			/* what the disk has */
#define NEW	0x5005			/* what was written since */
#define NEWER	0x6006			/* what a case writes after the loss */
#define NPAGES	16
#define TARGET	5
#define AT	(TARGET * MCE_PAGE)

FIXTURE(lost)
{
	struct mce_file t;
};

FIXTURE_VARIANT(lost)
{
	unsigned long fs;
	size_t chunk;
	bool large;
	bool journal;		/* its data goes through the journal as well */
};

FIXTURE_VARIANT_ADD(lost, ext4)
{
	.fs = MCE_FS_EXT4,
	.chunk = 1,
};

FIXTURE_VARIANT_ADD(lost, ext4_journal)
{
	.fs = MCE_FS_EXT4,
	.chunk = 1,
	.journal = true,
};

FIXTURE_VARIANT_ADD(lost, xfs_large)
{
	.fs = MCE_FS_XFS,
	.chunk = 16,
	.large = true,
};

/* ext4 takes no notice of the attribute as long as it delays allocation. */
static int delay_allocation(bool delay)
{
	char dir[PATH_MAX];

	if (!mce_dir_on(MCE_FS_EXT4, dir, sizeof(dir)))
		return -1;
	return mount(NULL, dir, NULL, MS_REMOUNT,
		     delay ? "delalloc" : "nodelalloc");
}

static int set_journal(int fd)
{
	int flags;

	if (delay_allocation(false) || ioctl(fd, FS_IOC_GETFLAGS, &flags))
		return -1;
	flags |= FS_JOURNAL_DATA_FL;
	return ioctl(fd, FS_IOC_SETFLAGS, &flags);
}

FIXTURE_SETUP(lost)
{
	int err;

	ASSERT_EQ(0, mce_pin(0));
	err = mce_file_open(&self->t, variant->fs, NPAGES, variant->chunk, OLD);
	if (err == -ENOENT)
		SKIP(return, "no directory on that file system");
	ASSERT_EQ(0, err);

	if (mce_block_size(variant->fs) > MCE_PAGE)
		SKIP(return, "what is lost is a block, not a page");
	if (variant->journal && set_journal(self->t.fd))
		SKIP(return, "no journal for data");

	/* The target and its two neighbours get new data, not yet on disk. */
	mce_fill(self->t.buf, 3 * MCE_PAGE, NEW, AT - MCE_PAGE);
	ASSERT_EQ(3 * (ssize_t)MCE_PAGE, pwrite(self->t.fd, self->t.buf,
						3 * MCE_PAGE, AT - MCE_PAGE));
	ASSERT_EQ(0, mce_file_phys(self->t.fd, AT, &self->t.phys));
	if (variant->large && !mce_page_large(self->t.phys))
		SKIP(return, "got no large folio");
	memset(self->t.buf, 0xee, NPAGES * MCE_PAGE);
}

FIXTURE_TEARDOWN(lost)
{
	mce_file_close(&self->t);
	if (variant->journal)
		delay_allocation(true);
}

/* What one read of the lost page gives, in words. */
static const char *answer(ssize_t ret, int err, const __u8 *buf, off_t at)
{
	static char text[64];

	if (ret < 0)
		snprintf(text, sizeof(text), "-%s", mce_errname(err));
	else if (!ret)
		snprintf(text, sizeof(text), "0 bytes");
	else if (mce_differs(buf, ret, OLD, at) < 0)
		snprintf(text, sizeof(text), "%zd bytes of STALE data", ret);
	else if (mce_differs(buf, ret, NEW, at) < 0)
		snprintf(text, sizeof(text), "%zd bytes, right", ret);
	else
		snprintf(text, sizeof(text), "%zd bytes, WRONG data", ret);
	return text;
}

/* The lost page answers -EIO to @fd. */
static void expect_eio(struct __test_metadata *const _metadata,
		       struct mce_file *t, int fd, const char *when)
{
	ssize_t ret;
	int err;

	memset(t->buf, 0xee, MCE_PAGE);
	ret = pread(fd, t->buf, MCE_PAGE, AT);
	err = errno;
	if (ret != -1 || err != EIO)
		mce_outcome("%s: %s", when, answer(ret, err, t->buf, AT));
	EXPECT_EQ(-1, ret) {
		TH_LOG("%s: the read should have failed", when);
	}
	if (ret < 0) {
		EXPECT_EQ(EIO, err) {
			TH_LOG("%s: the wrong error", when);
		}
	}
}

/* Poison the page at @at and have read(2) find it. */
static void lose_at(struct __test_metadata *const _metadata,
		    struct mce_file *t, off_t at)
{
	struct mce_watch w;
	ssize_t ret;
	int err;

	ASSERT_EQ(0, mce_arm_file(t->fd, at + 1024, &t->phys));
	mce_watch_start(&w);
	ret = pread(t->fd, t->buf, MCE_PAGE, at);
	err = errno;
	mce_watch_end(&w, 1);
	mce_outcome("pread: %s, %ld #MC", answer(ret, err, t->buf, at), w.mcs);
	/* The unit of loss is the page: no short count for what is in front. */
	EXPECT_EQ(-1, ret);
	EXPECT_EQ(EIO, err);
	EXPECT_EQ(1, w.mcs);
	EXPECT_EQ(1, w.offlined);
	EXPECT_STREQ("", w.log);
	EXPECT_TRUE(mce_page_offlined(t->phys));
}

static void lose(struct __test_metadata *const _metadata, struct mce_file *t)
{
	lose_at(_metadata, t, AT);
}

/* The neighbours hold what was written to them. */
static void expect_neighbours(struct __test_metadata *const _metadata,
			      struct mce_file *t)
{
	ASSERT_EQ((ssize_t)MCE_PAGE, pread(t->fd, t->buf, MCE_PAGE,
					   AT - MCE_PAGE));
	EXPECT_EQ(-1, mce_differs(t->buf, MCE_PAGE, NEW, AT - MCE_PAGE));
	ASSERT_EQ((ssize_t)MCE_PAGE, pread(t->fd, t->buf, MCE_PAGE,
					   AT + MCE_PAGE));
	EXPECT_EQ(-1, mce_differs(t->buf, MCE_PAGE, NEW, AT + MCE_PAGE));
	ASSERT_EQ((ssize_t)MCE_PAGE, pread(t->fd, t->buf, MCE_PAGE, 0));
	EXPECT_EQ(-1, mce_differs(t->buf, MCE_PAGE, OLD, 0));
}

/* A page of new data at the target, and it can be read back. */
static void expect_overwritten(struct __test_metadata *const _metadata,
			       struct mce_file *t, int fd)
{
	int i;

	mce_fill(t->buf, MCE_PAGE, NEWER, AT);
	ASSERT_EQ((ssize_t)MCE_PAGE, pwrite(fd, t->buf, MCE_PAGE, AT));
	for (i = 0; i < 2; i++) {
		memset(t->buf, 0xee, MCE_PAGE);
		ASSERT_EQ((ssize_t)MCE_PAGE,
			  pread(t->fd, t->buf, MCE_PAGE, AT));
		EXPECT_EQ(-1, mce_differs(t->buf, MCE_PAGE, NEWER, AT));
		/* The second time from the disk. The loss may be told now. */
		if (fsync(t->fd))
			EXPECT_EQ(EIO, errno);
		EXPECT_EQ(0, fsync(t->fd));
		mce_drop_caches();
	}
	expect_neighbours(_metadata, t);
}

static int log_is_clean(struct __test_metadata *const _metadata,
			struct mce_watch *w)
{
	mce_watch_end(w, 0);
	EXPECT_STREQ("", w->log);
	EXPECT_EQ(0, w->mcs);
	return 0;
}

TEST_F(lost, read)
{
	struct mce_watch w;

	lose(_metadata, &self->t);
	mce_watch_start(&w);
	expect_eio(_metadata, &self->t, self->t.fd, "second read");
	expect_eio(_metadata, &self->t, self->t.fd, "third read");
	expect_neighbours(_metadata, &self->t);
	log_is_clean(_metadata, &w);
}

/* What is dirty only for the page tables is told to the file system, and not lost. */
TEST_F(lost, mapped_store)
{
	struct mce_sigbus sb;
	struct mce_watch w;
	__u8 *map;

	map = mmap(NULL, NPAGES * MCE_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, self->t.fd, 0);
	ASSERT_NE(MAP_FAILED, map);
	ASSERT_EQ(0, fsync(self->t.fd));
	mce_fill(map + AT, MCE_PAGE, NEWER, AT);
	mce_fill(map + AT + 2 * MCE_PAGE, MCE_PAGE, NEWER, AT + 2 * MCE_PAGE);
	ASSERT_EQ(0, mce_arm(map + AT + 1024, &self->t.phys));
	mce_watch_start(&w);
	ASSERT_FALSE(mce_load(map + AT + 1024, NULL, &sb));
	EXPECT_EQ(BUS_MCEERR_AR, sb.code);
	EXPECT_EQ(map + AT + 1024, sb.addr);
	mce_watch_end(&w, 1);
	mce_outcome("load: SIGBUS, %ld #MC", w.mcs);
	EXPECT_EQ(1, w.mcs);
	EXPECT_STREQ("", w.log);
	expect_eio(_metadata, &self->t, self->t.fd, "read");
	mce_drop_caches();
	expect_neighbours(_metadata, &self->t);
	ASSERT_EQ((ssize_t)MCE_PAGE, pread(self->t.fd, self->t.buf, MCE_PAGE, AT + 2 * MCE_PAGE));
	EXPECT_EQ(-1, mce_differs(self->t.buf, MCE_PAGE, NEWER, AT + 2 * MCE_PAGE));
	munmap(map, NPAGES * MCE_PAGE);
}

/*
 * A disk that reads memory by itself meets the poison first, and all it can say
 * is that the write failed. Linux counts the folio as clean then.
 */
static void lose_by_device(struct __test_metadata *const _metadata,
			   struct mce_file *t, bool ask)
{
	struct mce_watch w;
	int err, saved;

	ASSERT_EQ(0, mce_arm_file(t->fd, AT + 1024, &t->phys));
	mce_watch_start(&w);
	errno = 0;
	if (ask)
		err = fsync(t->fd);
	else
		err = sync_file_range(t->fd, 0, 0, SYNC_FILE_RANGE_WRITE);
	saved = errno;
	/* Nobody has to touch it for the page to be found. */
	mce_watch_end(&w, 1);
	mce_outcome("%s: %s, %ld #MC, %ld offlined", ask ? "fsync" : "sync_file_range",
		    err ? mce_errname(saved) : "0", w.mcs, w.offlined);
	if (ask) {
		EXPECT_EQ(-1, err);
		EXPECT_EQ(EIO, saved);
	}
	/* A driver that copies may try twice. */
	EXPECT_EQ(mce_expected("MCE_EXPECT_MCS", 1), w.mcs);
	EXPECT_EQ(1, w.offlined);
	EXPECT_STREQ("", w.log);
	EXPECT_TRUE(mce_page_offlined(t->phys));
}

/*
 * That data was lost is told with each write that failed, of which there may be
 * more than one until the page is gone, and once when it is gone.
 */
static int fsync_until_told(int fd)
{
	int i, err = -1;

	for (i = 0; i < 6 && err; i++)
		err = fsync(fd);
	return err;
}

/* What was in the same write as the bad page is on the disk in the end. */
static void expect_neighbours_on_disk(struct __test_metadata *const _metadata,
				      struct mce_file *t)
{
	int fd, i;

	EXPECT_EQ(0, fsync_until_told(t->fd));
	fd = open(t->path, O_RDONLY | O_DIRECT);
	ASSERT_GE(fd, 0);
	for (i = -1; i < 2; i += 2) {
		memset(t->buf, 0xee, MCE_PAGE);
		EXPECT_EQ((ssize_t)MCE_PAGE,
			  pread(fd, t->buf, MCE_PAGE, AT + i * (long)MCE_PAGE));
		EXPECT_EQ(-1, mce_differs(t->buf, MCE_PAGE, NEW,
					  AT + i * (long)MCE_PAGE));
	}
	EXPECT_EQ(-1, pread(fd, t->buf, MCE_PAGE, AT));
	close(fd);
}

/* Where a device takes more than one machine check, that is another number. */
static bool journal_meets_it(const struct _fixture_variant_lost *variant)
{
	return variant->journal && mce_expected("MCE_EXPECT_MCS", 1) != 1;
}

TEST_F(lost, write_by_device)
{
	struct mce_watch w;

	if (journal_meets_it(variant))
		SKIP(return, "the journal meets it, once");
	lose_by_device(_metadata, &self->t, true);
	mce_watch_start(&w);
	expect_eio(_metadata, &self->t, self->t.fd, "read after the failed write");
	expect_neighbours(_metadata, &self->t);
	expect_neighbours_on_disk(_metadata, &self->t);
	expect_eio(_metadata, &self->t, self->t.fd, "read after more fsync");
	log_is_clean(_metadata, &w);
	expect_overwritten(_metadata, &self->t, self->t.fd);
}

/* Nobody asks what became of the write, and reclaim takes what it can. */
TEST_F(lost, write_by_device_evicted)
{
	struct mce_watch w;

	if (variant->journal)
		SKIP(return, "it is not written before it is in the journal");
	lose_by_device(_metadata, &self->t, false);
	mce_watch_start(&w);
	sync();
	mce_drop_caches();
	expect_eio(_metadata, &self->t, self->t.fd, "read after drop_caches");
	expect_neighbours(_metadata, &self->t);
	expect_neighbours_on_disk(_metadata, &self->t);
	log_is_clean(_metadata, &w);
}

/* The first write to their blocks: it decides what the disk has for them. */
TEST_F(lost, write_by_device_to_hole)
{
	struct mce_watch w;

	if (journal_meets_it(variant))
		SKIP(return, "the journal meets it, once");
	ASSERT_EQ(0, fsync(self->t.fd));
	ASSERT_EQ(0, fallocate(self->t.fd, FALLOC_FL_PUNCH_HOLE |
			       FALLOC_FL_KEEP_SIZE, AT - MCE_PAGE, 3 * MCE_PAGE));
	ASSERT_EQ(0, fsync(self->t.fd));
	mce_fill(self->t.buf, 3 * MCE_PAGE, NEW, AT - MCE_PAGE);
	ASSERT_EQ(3 * (ssize_t)MCE_PAGE, pwrite(self->t.fd, self->t.buf,
						3 * MCE_PAGE, AT - MCE_PAGE));
	lose_by_device(_metadata, &self->t, true);
	mce_watch_start(&w);
	expect_neighbours_on_disk(_metadata, &self->t);
	mce_drop_caches();
	expect_neighbours(_metadata, &self->t);
	expect_eio(_metadata, &self->t, self->t.fd, "read after more fsync");
	log_is_clean(_metadata, &w);
	expect_overwritten(_metadata, &self->t, self->t.fd);
}

/* More than one write takes; what becomes of their blocks is decided for all. */
TEST_F_TIMEOUT(lost, write_by_device_of_many, 60)
{
	const int first = NPAGES, nr = 1024, bad = first + 700;
	int i, at, wrong = 0;

	ASSERT_EQ(0, fsync(self->t.fd));
	/* Every other page first: what is next to each other takes two segments. */
	for (i = 0; i < nr; i++) {
		at = first + i * 2 % nr + i * 2 / nr;
		mce_fill(self->t.buf, MCE_PAGE, NEW, at * MCE_PAGE);
		ASSERT_EQ((ssize_t)MCE_PAGE, pwrite(self->t.fd, self->t.buf, MCE_PAGE,
						    at * MCE_PAGE));
	}
	ASSERT_EQ(0, mce_arm_file(self->t.fd, bad * MCE_PAGE + 1024, NULL));
	EXPECT_EQ(-1, fsync(self->t.fd));
	EXPECT_EQ(EIO, errno);
	/* All is written now that can be, and all is told that has to be. */
	EXPECT_EQ(0, fsync_until_told(self->t.fd));
	mce_drop_caches();
	for (i = first; i < first + nr; i++) {
		ssize_t ret = pread(self->t.fd, self->t.buf, MCE_PAGE, i * MCE_PAGE);

		if (i == bad ? ret != -1 || errno != EIO : ret != MCE_PAGE ||
		    mce_differs(self->t.buf, MCE_PAGE, NEW, i * MCE_PAGE) >= 0) {
			if (!wrong++)
				mce_outcome("page %d: %zd, line %ld", i, ret,
					    mce_differs(self->t.buf, MCE_PAGE, NEW,
							i * MCE_PAGE) / MCE_LINE);
		}
	}
	mce_outcome("%d of %d pages wrong", wrong, nr);
	EXPECT_EQ(0, wrong);
}

TEST_F(lost, new_open)
{
	int fd;

	lose(_metadata, &self->t);
	fd = open(self->t.path, O_RDONLY);
	ASSERT_GE(fd, 0);
	expect_eio(_metadata, &self->t, fd, "read after a new open");
	close(fd);
}

TEST_F(lost, other_process)
{
	int status;
	pid_t pid;

	lose(_metadata, &self->t);
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		int fd = open(self->t.path, O_RDONLY);

		_exit(fd >= 0 && pread(fd, self->t.buf, 1, AT) == -1 &&
		      errno == EIO ? 0 : 1);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

TEST_F(lost, drop_caches)
{
	struct mce_watch w;
	int i, fd;

	lose(_metadata, &self->t);
	mce_watch_start(&w);
	for (i = 0; i < 3; i++) {
		sync();
		posix_fadvise(self->t.fd, 0, 0, POSIX_FADV_DONTNEED);
		mce_drop_caches();
		expect_eio(_metadata, &self->t, self->t.fd, "read after drop_caches");
	}
	/* And when nobody has the file open. */
	close(self->t.fd);
	self->t.fd = -1;
	sync();
	mce_drop_caches();
	fd = open(self->t.path, O_RDWR);
	ASSERT_GE(fd, 0);
	self->t.fd = fd;
	expect_eio(_metadata, &self->t, fd, "read after close and drop_caches");
	expect_neighbours(_metadata, &self->t);
	log_is_clean(_metadata, &w);
}

/* Read-only and back: what is lost stays lost, and is not written out. */
TEST_F(lost, remount)
{
	struct mce_watch w;
	char dir[PATH_MAX];
	int fd;

	lose(_metadata, &self->t);
	ASSERT_TRUE(mce_dir_on(variant->fs, dir, sizeof(dir)));
	close(self->t.fd);
	self->t.fd = -1;
	mce_watch_start(&w);
	if (mount(NULL, dir, NULL, MS_REMOUNT | MS_RDONLY, NULL))
		SKIP(return, "cannot remount it");
	fd = open(self->t.path, O_RDONLY);
	expect_eio(_metadata, &self->t, fd, "read after remounting read-only");
	mce_drop_caches();
	expect_eio(_metadata, &self->t, fd, "read after that and drop_caches");
	close(fd);
	ASSERT_EQ(0, mount(NULL, dir, NULL, MS_REMOUNT, NULL));
	fd = open(self->t.path, O_RDWR);
	ASSERT_GE(fd, 0);
	self->t.fd = fd;
	expect_eio(_metadata, &self->t, fd, "read after remounting again");
	expect_neighbours(_metadata, &self->t);
	log_is_clean(_metadata, &w);
}

TEST_F_TIMEOUT(lost, reclaim, 120)
{
	struct mce_watch w;

	lose(_metadata, &self->t);
	mce_watch_start(&w);
	sync();
	ASSERT_EQ(0, mce_squeeze());
	expect_eio(_metadata, &self->t, self->t.fd, "read after memory pressure");
	expect_neighbours(_metadata, &self->t);
	log_is_clean(_metadata, &w);
}

TEST_F(lost, new_mmap)
{
	struct mce_sigbus sb;
	struct mce_watch w;
	__u8 *map, val;

	lose(_metadata, &self->t);
	mce_watch_start(&w);
	map = mmap(NULL, NPAGES * MCE_PAGE, PROT_READ, MAP_SHARED, self->t.fd, 0);
	ASSERT_NE(MAP_FAILED, map);
	EXPECT_FALSE(mce_load(map + AT + 77, &val, &sb));
	if (!sb.count)
		mce_outcome("new mmap: %s", answer(1, 0, map + AT, AT));
	EXPECT_EQ(BUS_MCEERR_AR, sb.code);
	EXPECT_TRUE(mce_sigbus_covers(&sb, map + AT + 77));
	EXPECT_TRUE(mce_load(map + AT + MCE_PAGE, &val, NULL));
	EXPECT_EQ(-1, mce_differs(&val, 1, NEW, AT + MCE_PAGE));
	munmap(map, NPAGES * MCE_PAGE);

	/* A private mapping that is written to would copy the page. */
	map = mmap(NULL, NPAGES * MCE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE,
		   self->t.fd, 0);
	ASSERT_NE(MAP_FAILED, map);
	EXPECT_FALSE(mce_load(map + AT, &val, &sb));
	EXPECT_EQ(BUS_MCEERR_AR, sb.code);
	munmap(map, NPAGES * MCE_PAGE);
	log_is_clean(_metadata, &w);
}

/* The page was mapped all the time. */
TEST_F(lost, old_mmap)
{
	struct mce_sigbus sb;
	__u8 *map, val;

	map = mmap(NULL, NPAGES * MCE_PAGE, PROT_READ, MAP_SHARED, self->t.fd, 0);
	ASSERT_NE(MAP_FAILED, map);
	ASSERT_EQ(-1, mce_differs(map + AT, MCE_PAGE, NEW, AT));
	lose(_metadata, &self->t);
	EXPECT_FALSE(mce_load(map + AT + 77, &val, &sb));
	EXPECT_EQ(1, sb.count);
	EXPECT_EQ(BUS_MCEERR_AR, sb.code);
	EXPECT_TRUE(mce_sigbus_covers(&sb, map + AT + 77));
	munmap(map, NPAGES * MCE_PAGE);
}

/* A program's own load finds the poison, then somebody reads the file. */
TEST_F(lost, user_load_then_read)
{
	struct mce_sigbus sb;
	__u8 *map;

	map = mmap(NULL, NPAGES * MCE_PAGE, PROT_READ, MAP_SHARED, self->t.fd, 0);
	ASSERT_NE(MAP_FAILED, map);
	ASSERT_EQ(-1, mce_differs(map + AT, MCE_PAGE, NEW, AT));
	ASSERT_EQ(0, mce_arm(map + AT + 1024, &self->t.phys));
	EXPECT_FALSE(mce_load(map + AT + 1024, NULL, &sb));
	EXPECT_EQ(BUS_MCEERR_AR, sb.code);
	mce_outcome("load: SIGBUS %s", mce_codename(sb.code));
	expect_eio(_metadata, &self->t, self->t.fd, "read after the SIGBUS");
	munmap(map, NPAGES * MCE_PAGE);
	expect_eio(_metadata, &self->t, self->t.fd, "read after munmap");
	expect_neighbours(_metadata, &self->t);
}

TEST_F(lost, overwrite)
{
	struct mce_watch w;

	lose(_metadata, &self->t);
	mce_watch_start(&w);
	expect_overwritten(_metadata, &self->t, self->t.fd);
	log_is_clean(_metadata, &w);
}

/*
 * Writing a part of the page cannot bring the rest back. The write may fail or
 * not, but the page must not look whole afterwards.
 */
TEST_F(lost, partial_overwrite)
{
	struct mce_watch w;

	lose(_metadata, &self->t);
	mce_watch_start(&w);
	mce_fill(self->t.buf, 512, NEWER, AT + 1024);
	if (pwrite(self->t.fd, self->t.buf, 512, AT + 1024) < 0)
		EXPECT_EQ(EIO, errno);
	expect_eio(_metadata, &self->t, self->t.fd, "read after a partial overwrite");
	sync();
	mce_drop_caches();
	expect_eio(_metadata, &self->t, self->t.fd, "read after that and drop_caches");
	expect_overwritten(_metadata, &self->t, self->t.fd);
	log_is_clean(_metadata, &w);
}

TEST_F(lost, truncate)
{
	struct mce_watch w;
	size_t i;

	lose(_metadata, &self->t);
	mce_watch_start(&w);
	ASSERT_EQ(0, ftruncate(self->t.fd, AT));
	ASSERT_EQ(0, ftruncate(self->t.fd, AT + MCE_PAGE));
	ASSERT_EQ((ssize_t)MCE_PAGE, pread(self->t.fd, self->t.buf, MCE_PAGE, AT));
	for (i = 0; i < MCE_PAGE; i++)
		ASSERT_EQ(0, self->t.buf[i]);
	mce_fill(self->t.buf, MCE_PAGE, NEWER, AT);
	ASSERT_EQ((ssize_t)MCE_PAGE, pwrite(self->t.fd, self->t.buf, MCE_PAGE, AT));
	ASSERT_EQ((ssize_t)MCE_PAGE, pread(self->t.fd, self->t.buf, MCE_PAGE, AT));
	EXPECT_EQ(-1, mce_differs(self->t.buf, MCE_PAGE, NEWER, AT));
	log_is_clean(_metadata, &w);
}

/*
 * The new end of the file is in the middle of the lost page. The kernel clears
 * what is behind the end; that must not reach the page, whose first half is
 * still part of the file, and still lost.
 */
TEST_F(lost, truncate_inside)
{
	struct mce_watch w;
	ssize_t ret;

	lose(_metadata, &self->t);
	mce_watch_start(&w);
	if (ftruncate(self->t.fd, AT + 2048))
		EXPECT_EQ(EIO, errno);
	ret = pread(self->t.fd, self->t.buf, 2048, AT);
	if (ret >= 0)
		mce_outcome("read after truncate: %s",
			    answer(ret, 0, self->t.buf, AT));
	EXPECT_EQ(-1, ret);
	sync();
	mce_drop_caches();
	ret = pread(self->t.fd, self->t.buf, 2048, AT);
	EXPECT_EQ(-1, ret);
	EXPECT_EQ(0, ftruncate(self->t.fd, 0));
	log_is_clean(_metadata, &w);
}

TEST_F(lost, punch_hole)
{
	struct mce_watch w;
	size_t i;

	lose(_metadata, &self->t);
	mce_watch_start(&w);
	ASSERT_EQ(0, fallocate(self->t.fd, FALLOC_FL_PUNCH_HOLE |
			       FALLOC_FL_KEEP_SIZE, AT, MCE_PAGE));
	ASSERT_EQ((ssize_t)MCE_PAGE, pread(self->t.fd, self->t.buf, MCE_PAGE, AT));
	for (i = 0; i < MCE_PAGE; i++)
		ASSERT_EQ(0, self->t.buf[i]);
	expect_neighbours(_metadata, &self->t);
	log_is_clean(_metadata, &w);
}

/* The loss is a writeback error: fsync(2) tells each open file, once. */
TEST_F(lost, fsync)
{
	struct mce_watch w;
	int ret, err;

	lose(_metadata, &self->t);
	mce_watch_start(&w);
	ret = fsync(self->t.fd);
	err = errno;
	mce_outcome("fsync: %s", ret ? mce_errname(err) : "0");
	EXPECT_EQ(-1, ret);
	EXPECT_EQ(EIO, err);
	EXPECT_EQ(0, fsync(self->t.fd));
	/* What was not lost has reached the disk. */
	mce_drop_caches();
	expect_neighbours(_metadata, &self->t);
	expect_eio(_metadata, &self->t, self->t.fd, "read after fsync");
	log_is_clean(_metadata, &w);
}

/* The journal is the first to look at it. */
TEST_F(lost, commit)
{
	struct mce_watch w;
	int ret, err;

	if (!variant->journal)
		SKIP(return, "only metadata goes through its journal");
	/* It looks at the first bytes, also where it makes no checksum. */
	ASSERT_EQ(0, mce_arm_file(self->t.fd, AT, &self->t.phys));
	mce_watch_start(&w);
	ret = fsync(self->t.fd);
	err = errno;
	mce_watch_end(&w, 1);
	mce_outcome("fsync: %s, %ld #MC", ret ? mce_errname(err) : "0", w.mcs);
	EXPECT_EQ(-1, ret);
	EXPECT_EQ(EIO, err);
	EXPECT_EQ(1, w.mcs);
	EXPECT_EQ(1, w.offlined);
	EXPECT_STREQ("", w.log);
	EXPECT_TRUE(mce_page_offlined(self->t.phys));
	mce_watch_start(&w);
	expect_neighbours_on_disk(_metadata, &self->t);
	mce_drop_caches();
	expect_neighbours(_metadata, &self->t);
	expect_eio(_metadata, &self->t, self->t.fd, "read after fsync");
	expect_overwritten(_metadata, &self->t, self->t.fd);
	EXPECT_EQ(0, fsync(self->t.fd));
	log_is_clean(_metadata, &w);
}

/*
 * O_DIRECT goes around the page cache, but not around what was written: the
 * kernel writes dirty pages out first. For the lost page it cannot, and the
 * disk has the data from before. It is the same file: -EIO, each time.
 */
TEST_F(lost, direct_read)
{
	int fd, i;

	lose(_metadata, &self->t);
	fd = open(self->t.path, O_RDONLY | O_DIRECT);
	ASSERT_GE(fd, 0);
	for (i = 0; i < 3; i++)
		expect_eio(_metadata, &self->t, fd, "O_DIRECT read");
	/* Elsewhere in the file it works, from the first time on. */
	ASSERT_EQ((ssize_t)MCE_PAGE, pread(fd, self->t.buf, MCE_PAGE,
					   AT + MCE_PAGE));
	EXPECT_EQ(-1, mce_differs(self->t.buf, MCE_PAGE, NEW, AT + MCE_PAGE));
	close(fd);
	expect_eio(_metadata, &self->t, self->t.fd, "read after O_DIRECT");
}

/* An O_DIRECT write of the page is an overwrite like another. */
TEST_F(lost, direct_write)
{
	int fd;

	lose(_metadata, &self->t);
	fd = open(self->t.path, O_RDWR | O_DIRECT);
	ASSERT_GE(fd, 0);
	expect_overwritten(_metadata, &self->t, fd);
	close(fd);
}

/*
 * Somebody holds a page of the folio, so it cannot be split. It goes on as it
 * is, but for the page that is not there any more.
 */
FIXTURE(pinned)
{
	struct mce_file t;
	int pipe[2];
};

FIXTURE_VARIANT(pinned)
{
	unsigned long fs;
};

FIXTURE_VARIANT_ADD(pinned, xfs)
{
	.fs = MCE_FS_XFS,
};

FIXTURE_SETUP(pinned)
{
	struct iovec iov = { NULL, 1 };
	int err;

	self->pipe[0] = -1;
	self->pipe[1] = -1;
	self->t.fd = -1;
	if (mce_block_size(variant->fs) != MCE_PAGE)
		SKIP(return, "no file system with large folios of small blocks");
	ASSERT_EQ(0, mce_pin(0));
	err = mce_file_open(&self->t, variant->fs, NPAGES, NPAGES, OLD);
	ASSERT_EQ(0, err);
	mce_fill(self->t.buf, 3 * MCE_PAGE, NEW, AT - MCE_PAGE);
	ASSERT_EQ(3 * (ssize_t)MCE_PAGE, pwrite(self->t.fd, self->t.buf,
						3 * MCE_PAGE, AT - MCE_PAGE));
	ASSERT_EQ(0, mce_file_phys(self->t.fd, AT, &self->t.phys));
	if (!mce_page_large(self->t.phys))
		SKIP(return, "got no large folio");
	ASSERT_EQ(0, pipe(self->pipe));
	iov.iov_base = mmap(NULL, MCE_PAGE, PROT_READ, MAP_SHARED, self->t.fd,
			    AT + MCE_PAGE);
	ASSERT_NE(MAP_FAILED, iov.iov_base);
	ASSERT_EQ(1, vmsplice(self->pipe[1], &iov, 1, 0));
	munmap(iov.iov_base, MCE_PAGE);
	lose(_metadata, &self->t);
}

FIXTURE_TEARDOWN(pinned)
{
	close(self->pipe[0]);
	close(self->pipe[1]);
	mce_file_close(&self->t);
}

/*
 * What somebody holds stays in the direct map, for that may be somebody who cannot
 * take a page fault. So who reads the bad page meets the error itself: once a read.
 */
static void log_is_clean_pinned(struct __test_metadata *const _metadata,
				struct mce_watch *w, long reads)
{
	mce_watch_end(w, 0);
	EXPECT_STREQ("", w->log);
	EXPECT_GE(reads, w->mcs);
}

TEST_F(pinned, read)
{
	struct mce_watch w;

	mce_watch_start(&w);
	expect_eio(_metadata, &self->t, self->t.fd, "second read");
	expect_neighbours(_metadata, &self->t);
	log_is_clean_pinned(_metadata, &w, 1);
}

TEST_F(pinned, write)
{
	struct mce_watch w;
	ssize_t ret;

	mce_watch_start(&w);
	/* Up to the page that cannot be written. */
	mce_fill(self->t.buf, 2 * MCE_PAGE, NEW, AT - MCE_PAGE);
	ret = pwrite(self->t.fd, self->t.buf, 2 * MCE_PAGE, AT - MCE_PAGE);
	mce_outcome("write: %zd", ret);
	EXPECT_EQ((ssize_t)MCE_PAGE, ret);
	ret = pwrite(self->t.fd, self->t.buf, MCE_PAGE, AT);
	EXPECT_EQ(-1, ret);
	EXPECT_EQ(EIO, errno);
	expect_eio(_metadata, &self->t, self->t.fd, "read after writing");

	/* Once nobody holds it, it is like any other that was lost. */
	close(self->pipe[0]);
	close(self->pipe[1]);
	self->pipe[0] = -1;
	self->pipe[1] = -1;
	expect_eio(_metadata, &self->t, self->t.fd, "read without a holder");
	expect_overwritten(_metadata, &self->t, self->t.fd);
	log_is_clean_pinned(_metadata, &w, 2);
}

TEST_F(pinned, truncate_inside)
{
	struct mce_watch w;

	mce_watch_start(&w);
	if (ftruncate(self->t.fd, AT + 2048))
		EXPECT_EQ(EIO, errno);
	EXPECT_EQ(-1, pread(self->t.fd, self->t.buf, 2048, AT));
	EXPECT_EQ(EIO, errno);
	EXPECT_EQ(0, ftruncate(self->t.fd, 0));
	log_is_clean_pinned(_metadata, &w, 1);
}

/*
 * Blocks of some file systems are larger than a page. No folio is smaller than
 * a block, so it is the block that is dropped, or lost.
 */
FIXTURE(block)
{
	struct mce_file t;
	size_t size;
	off_t at;		/* the bad page: the second of the second block */
};

FIXTURE_VARIANT(block)
{
	unsigned long fs;
};

FIXTURE_VARIANT_ADD(block, xfs)
{
	.fs = MCE_FS_XFS,
};

FIXTURE_SETUP(block)
{
	int err;

	self->t.fd = -1;
	self->size = mce_block_size(variant->fs);
	if (self->size <= MCE_PAGE)
		SKIP(return, "no file system with blocks larger than a page");
	self->at = self->size + MCE_PAGE;
	ASSERT_EQ(0, mce_pin(0));
	err = mce_file_open(&self->t, variant->fs, 4 * self->size / MCE_PAGE,
			    4 * self->size / MCE_PAGE, OLD);
	ASSERT_EQ(0, err);
	/* The second and third get new data, not yet on disk. */
	mce_fill(self->t.buf, 2 * self->size, NEW, self->size);
	ASSERT_EQ(2 * (ssize_t)self->size, pwrite(self->t.fd, self->t.buf,
						  2 * self->size, self->size));
	ASSERT_EQ(0, mce_file_phys(self->t.fd, self->at, &self->t.phys));
}

FIXTURE_TEARDOWN(block)
{
	mce_file_close(&self->t);
}

/* All of the block is -EIO to @fd, and the others have their data. */
static void expect_lost_block(struct __test_metadata *const _metadata,
			      struct mce_file *t, int fd, size_t size)
{
	size_t at;

	for (at = size; at < 2 * size; at += MCE_PAGE) {
		EXPECT_EQ(-1, pread(fd, t->buf, MCE_PAGE, at)) {
			TH_LOG("page %zu of the block is not lost", at / MCE_PAGE);
		}
		EXPECT_EQ(EIO, errno);
	}
	ASSERT_EQ((ssize_t)size, pread(fd, t->buf, size, 2 * size));
	EXPECT_EQ(-1, mce_differs(t->buf, size, NEW, 2 * size));
	ASSERT_EQ((ssize_t)size, pread(fd, t->buf, size, 0));
	EXPECT_EQ(-1, mce_differs(t->buf, size, OLD, 0));
}

/* The block can be written as a whole, and then it has what was written. */
static void expect_written_block(struct __test_metadata *const _metadata,
				 struct mce_file *t, int fd, size_t size)
{
	mce_fill(t->buf, size, NEWER, size);
	ASSERT_EQ((ssize_t)size, pwrite(fd, t->buf, size, size));
	if (fsync(t->fd))
		EXPECT_EQ(EIO, errno);
	EXPECT_EQ(0, fsync(t->fd));
	mce_drop_caches();
	memset(t->buf, 0xee, size);
	ASSERT_EQ((ssize_t)size, pread(t->fd, t->buf, size, size));
	EXPECT_EQ(-1, mce_differs(t->buf, size, NEWER, size));
}

TEST_F_TIMEOUT(block, read, 120)
{
	struct mce_watch w;

	lose_at(_metadata, &self->t, self->at);
	mce_watch_start(&w);
	expect_lost_block(_metadata, &self->t, self->t.fd, self->size);
	EXPECT_EQ(-1, fsync(self->t.fd));
	EXPECT_EQ(0, fsync(self->t.fd));
	mce_drop_caches();
	ASSERT_EQ(0, mce_squeeze());
	expect_lost_block(_metadata, &self->t, self->t.fd, self->size);
	log_is_clean(_metadata, &w);
}

TEST_F(block, write_by_device)
{
	struct mce_watch w;

	ASSERT_EQ(0, mce_arm_file(self->t.fd, self->at + 1024, &self->t.phys));
	mce_watch_start(&w);
	EXPECT_EQ(-1, fsync(self->t.fd));
	mce_watch_end(&w, 1);
	EXPECT_EQ(1, w.mcs);
	EXPECT_EQ(1, w.offlined);
	EXPECT_STREQ("", w.log);
	mce_watch_start(&w);
	EXPECT_EQ(0, fsync_until_told(self->t.fd));
	mce_drop_caches();
	expect_lost_block(_metadata, &self->t, self->t.fd, self->size);
	log_is_clean(_metadata, &w);
	expect_written_block(_metadata, &self->t, self->t.fd, self->size);
}

TEST_F(block, mmap)
{
	struct mce_sigbus sb;
	struct mce_watch w;
	__u8 *map, *other;

	map = mmap(NULL, 4 * self->size, PROT_READ, MAP_SHARED, self->t.fd, 0);
	ASSERT_NE(MAP_FAILED, map);
	ASSERT_EQ(-1, mce_differs(map + self->at, MCE_PAGE, NEW, self->at));
	lose_at(_metadata, &self->t, self->at);
	mce_watch_start(&w);
	EXPECT_FALSE(mce_load(map + self->at + 77, NULL, &sb));
	EXPECT_EQ(BUS_MCEERR_AR, sb.code);
	EXPECT_TRUE(mce_sigbus_covers(&sb, map + self->at + 77));
	EXPECT_TRUE(mce_load(map + 2 * self->size, NULL, NULL));
	other = mmap(NULL, 4 * self->size, PROT_READ | PROT_WRITE, MAP_SHARED,
		     self->t.fd, 0);
	ASSERT_NE(MAP_FAILED, other);
	/* The first page of the block: not bad itself, and lost as well. */
	EXPECT_FALSE(mce_load(other + self->size, NULL, &sb));
	EXPECT_EQ(BUS_MCEERR_AR, sb.code);
	EXPECT_TRUE(mce_sigbus_covers(&sb, other + self->size));
	log_is_clean(_metadata, &w);
	munmap(other, 4 * self->size);
	munmap(map, 4 * self->size);
}

TEST_F(block, user_load)
{
	struct mce_sigbus sb;
	__u8 *map;

	map = mmap(NULL, 4 * self->size, PROT_READ, MAP_SHARED, self->t.fd, 0);
	ASSERT_NE(MAP_FAILED, map);
	ASSERT_TRUE(mce_load(map + self->at, NULL, NULL));
	ASSERT_EQ(0, mce_arm(map + self->at + 1024, &self->t.phys));
	EXPECT_FALSE(mce_load(map + self->at + 1024, NULL, &sb));
	EXPECT_EQ(BUS_MCEERR_AR, sb.code);
	EXPECT_TRUE(mce_sigbus_covers(&sb, map + self->at + 1024));
	munmap(map, 4 * self->size);
	expect_lost_block(_metadata, &self->t, self->t.fd, self->size);
}

/* On the disk, too: it is read again, for a load as for read(2). */
TEST_F(block, user_load_of_clean)
{
	struct mce_sigbus sb;
	struct mce_watch w;
	__u8 *map;

	ASSERT_EQ(0, fsync(self->t.fd));
	map = mmap(NULL, 4 * self->size, PROT_READ, MAP_SHARED, self->t.fd, 0);
	ASSERT_NE(MAP_FAILED, map);
	ASSERT_TRUE(mce_load(map + self->at, NULL, NULL));
	ASSERT_EQ(0, mce_arm(map + self->at + 1024, &self->t.phys));
	mce_watch_start(&w);
	EXPECT_TRUE(mce_load(map + self->at + 1024, NULL, &sb));
	EXPECT_EQ(-1, mce_differs(map + self->at, MCE_PAGE, NEW, self->at));
	mce_watch_end(&w, 1);
	EXPECT_EQ(1, w.mcs);
	EXPECT_STREQ("", w.log);
	EXPECT_TRUE(mce_page_offlined(self->t.phys));
	munmap(map, 4 * self->size);
}

TEST_F(block, overwrite)
{
	struct mce_watch w;

	lose_at(_metadata, &self->t, self->at);
	mce_watch_start(&w);
	mce_fill(self->t.buf, MCE_PAGE, NEWER, self->at);
	EXPECT_EQ(-1, pwrite(self->t.fd, self->t.buf, MCE_PAGE, self->at));
	EXPECT_EQ(EIO, errno);
	expect_lost_block(_metadata, &self->t, self->t.fd, self->size);
	expect_written_block(_metadata, &self->t, self->t.fd, self->size);
	log_is_clean(_metadata, &w);
}

TEST_F(block, truncate)
{
	struct mce_watch w;
	size_t i;

	lose_at(_metadata, &self->t, self->at);
	mce_watch_start(&w);
	/* The half that stays is as lost as the other. */
	if (ftruncate(self->t.fd, self->size + self->size / 2))
		EXPECT_EQ(EIO, errno);
	EXPECT_EQ(-1, pread(self->t.fd, self->t.buf, MCE_PAGE, self->size));
	EXPECT_EQ(EIO, errno);
	ASSERT_EQ(0, ftruncate(self->t.fd, self->size));
	ASSERT_EQ(0, ftruncate(self->t.fd, 2 * self->size));
	ASSERT_EQ((ssize_t)self->size, pread(self->t.fd, self->t.buf, self->size,
					     self->size));
	for (i = 0; i < self->size; i++)
		ASSERT_EQ(0, self->t.buf[i]);
	log_is_clean(_metadata, &w);
}

TEST_F(block, direct)
{
	struct mce_watch w;
	int fd;

	lose_at(_metadata, &self->t, self->at);
	fd = open(self->t.path, O_RDWR | O_DIRECT);
	ASSERT_GE(fd, 0);
	mce_watch_start(&w);
	expect_lost_block(_metadata, &self->t, fd, self->size);
	expect_written_block(_metadata, &self->t, fd, self->size);
	log_is_clean(_metadata, &w);
	close(fd);
}

/*
 * Memory file systems have no second copy at all: each page is as if dirty.
 */
FIXTURE(shmem)
{
	struct mce_file t;
};

FIXTURE_SETUP(shmem)
{
	int err;

	ASSERT_EQ(0, mce_pin(0));
	err = mce_file_open(&self->t, MCE_FS_TMPFS, NPAGES, 1, NEW);
	if (err == -ENOENT)
		SKIP(return, "no tmpfs");
	ASSERT_EQ(0, err);
}

FIXTURE_TEARDOWN(shmem)
{
	mce_file_close(&self->t);
}

static void lose_shmem(struct __test_metadata *const _metadata,
		       struct mce_file *t)
{
	struct mce_watch w;
	ssize_t ret;
	int err, i;

	ASSERT_EQ(0, mce_arm_file(t->fd, AT + 1024, &t->phys));
	mce_watch_start(&w);
	ret = pread(t->fd, t->buf, MCE_PAGE, AT);
	err = errno;
	mce_watch_end(&w, 1);
	mce_outcome("pread: %s, %ld #MC", answer(ret, err, t->buf, AT), w.mcs);
	EXPECT_EQ(-1, ret);
	EXPECT_EQ(EIO, err);
	EXPECT_EQ(1, w.mcs);
	EXPECT_EQ(1, w.offlined);
	EXPECT_STREQ("", w.log);
	EXPECT_TRUE(mce_page_offlined(t->phys));
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(-1, pread(t->fd, t->buf, MCE_PAGE, AT));
		EXPECT_EQ(EIO, errno);
	}
	for (i = 0; i < NPAGES; i++) {
		if (i == TARGET)
			continue;
		EXPECT_EQ((ssize_t)MCE_PAGE, pread(t->fd, t->buf, MCE_PAGE,
						   i * MCE_PAGE));
		EXPECT_EQ(-1, mce_differs(t->buf, MCE_PAGE, NEW,
					  i * MCE_PAGE));
	}
}

TEST_F(shmem, read)
{
	struct mce_sigbus sb;
	__u8 *map;

	lose_shmem(_metadata, &self->t);
	map = mmap(NULL, MCE_PAGE, PROT_READ, MAP_SHARED, self->t.fd, AT);
	ASSERT_NE(MAP_FAILED, map);
	EXPECT_FALSE(mce_load(map + 5, NULL, &sb));
	EXPECT_EQ(BUS_MCEERR_AR, sb.code);
	EXPECT_TRUE(mce_sigbus_covers(&sb, map + 5));
	munmap(map, MCE_PAGE);
}

TEST_F(shmem, truncate)
{
	struct mce_watch w;
	size_t i;

	lose_shmem(_metadata, &self->t);
	mce_watch_start(&w);
	ASSERT_EQ(0, ftruncate(self->t.fd, AT));
	ASSERT_EQ(0, ftruncate(self->t.fd, AT + MCE_PAGE));
	ASSERT_EQ((ssize_t)MCE_PAGE, pread(self->t.fd, self->t.buf, MCE_PAGE, AT));
	for (i = 0; i < MCE_PAGE; i++)
		ASSERT_EQ(0, self->t.buf[i]);
	log_is_clean(_metadata, &w);
}

/* The kernel must not clear its way through the bad page. */
TEST_F(shmem, truncate_inside)
{
	struct mce_watch w;

	lose_shmem(_metadata, &self->t);
	mce_watch_start(&w);
	if (ftruncate(self->t.fd, AT + 2048))
		EXPECT_EQ(EIO, errno);
	EXPECT_EQ(-1, pread(self->t.fd, self->t.buf, 2048, AT));
	EXPECT_EQ(0, ftruncate(self->t.fd, 0));
	log_is_clean(_metadata, &w);
}

/* The same after a program's own load: it is an Oops in stock kernels. */
TEST_F(shmem, load_then_truncate_inside)
{
	struct mce_sigbus sb;
	struct mce_watch w;
	__u8 *map;

	map = mmap(NULL, MCE_PAGE, PROT_READ, MAP_SHARED, self->t.fd, AT);
	ASSERT_NE(MAP_FAILED, map);
	ASSERT_EQ(-1, mce_differs(map, MCE_PAGE, NEW, AT));
	ASSERT_EQ(0, mce_arm(map + 1024, NULL));
	mce_watch_start(&w);
	EXPECT_FALSE(mce_load(map + 1024, NULL, &sb));
	EXPECT_EQ(BUS_MCEERR_AR, sb.code);
	mce_outcome("load: SIGBUS %s; now truncating", mce_codename(sb.code));
	if (ftruncate(self->t.fd, AT + 2048))
		EXPECT_EQ(EIO, errno);
	mce_watch_end(&w, 1);
	EXPECT_STREQ("", w.log);
	munmap(map, MCE_PAGE);
}

#include "mce_main.h"
