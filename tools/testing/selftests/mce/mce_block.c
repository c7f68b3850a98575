// SPDX-License-Identifier: GPL-2.0
/*
 * A disk that is made of memory, or of a file: its driver copies what it
 * writes and reads.
 *
 * Data that cannot be read is not written; that I/O fails, and fsync(2) of the
 * file says so. Nothing is stored that looks good and is not.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../kselftest_harness.h"
#include "mce_dm.h"
#include "mce_lib.h"

#define OLD	0x4f4c
#define NEW	0x4e45
#define NPAGES	64

FIXTURE(disk)
{
	char path[PATH_MAX];
	int fd, back;
	bool mapped;
};

FIXTURE_VARIANT(disk)
{
	const char *dev;
	bool zram, loop, crypt;
};

FIXTURE_VARIANT_ADD(disk, ramdisk)
{
	.dev = "/dev/ram1",
};

FIXTURE_VARIANT_ADD(disk, zram)
{
	.dev = "/dev/zram0",
	.zram = true,
};

FIXTURE_VARIANT_ADD(disk, loop)
{
	.dev = "/dev/loop5",
	.loop = true,
};

/* A ram disk, encrypted */
FIXTURE_VARIANT_ADD(disk, crypt)
{
	.dev = "/dev/dm-0",
	.crypt = true,
};

FIXTURE_SETUP(disk)
{
	__u8 buf[MCE_PAGE];
	char dir[PATH_MAX - 64];
	int i;

	self->fd = -1;
	self->back = -1;
	ASSERT_EQ(0, mce_pin(0));
	if (variant->crypt) {
		self->mapped = true;
		if (dm_crypt_start("/dev/ram1", NPAGES))
			SKIP(return, "no encrypted disks");
	}
	if (access(variant->dev, W_OK))
		SKIP(return, "no %s", variant->dev);
	if (variant->zram) {
		mce_put("/sys/block/zram0/reset", "1");
		ASSERT_EQ(0, mce_put("/sys/block/zram0/disksize", "32M"));
	}
	if (variant->loop) {
		if (!mce_dir_on(MCE_FS_TMPFS, dir, sizeof(dir)))
			SKIP(return, "no directory on tmpfs");
		snprintf(self->path, sizeof(self->path), "%s/mce-loop-%d", dir,
			 getpid());
		self->back = mce_file_create(self->path, NPAGES, 1, OLD);
		ASSERT_GE(self->back, 0);
	}
	self->fd = open(variant->dev, O_RDWR | O_CLOEXEC);
	ASSERT_GE(self->fd, 0);
	if (variant->loop)
		ASSERT_EQ(0, ioctl(self->fd, LOOP_SET_FD, self->back));
	for (i = 0; i < NPAGES; i++) {
		mce_fill(buf, MCE_PAGE, OLD, i * MCE_PAGE);
		ASSERT_EQ(MCE_PAGE, pwrite(self->fd, buf, MCE_PAGE, i * MCE_PAGE));
	}
	ASSERT_EQ(0, fsync(self->fd));
}

FIXTURE_TEARDOWN(disk)
{
	mce_retire();
	if (self->fd >= 0) {
		/* Lost pages go with the page cache of the device. */
		ioctl(self->fd, BLKFLSBUF, 0);
		if (variant->loop)
			ioctl(self->fd, LOOP_CLR_FD, 0);
		close(self->fd);
	}
	if (self->back >= 0) {
		close(self->back);
		unlink(self->path);
	}
	if (variant->zram)
		mce_put("/sys/block/zram0/reset", "1");
	if (self->mapped)
		dm_crypt_stop();
}

/* The disk itself, not the page cache over it. */
static long on_disk(const char *dev, int page, __u64 seed)
{
	__u8 *buf = NULL;
	long at = -2;
	int fd;

	if (posix_memalign((void **)&buf, MCE_PAGE, MCE_PAGE))
		return -2;
	fd = open(dev, O_RDONLY | O_DIRECT | O_CLOEXEC);
	if (fd >= 0 && pread(fd, buf, MCE_PAGE, page * MCE_PAGE) == MCE_PAGE)
		at = mce_differs(buf, MCE_PAGE, seed, page * MCE_PAGE);
	if (fd >= 0)
		close(fd);
	free(buf);
	return at;
}

static int write_direct(const char *dev, int page, __u64 seed)
{
	__u8 *buf = NULL;
	int fd, err = -1;

	if (posix_memalign((void **)&buf, MCE_PAGE, MCE_PAGE))
		return -1;
	mce_fill(buf, MCE_PAGE, seed, page * MCE_PAGE);
	fd = open(dev, O_WRONLY | O_DIRECT | O_CLOEXEC);
	if (fd >= 0 && pwrite(fd, buf, MCE_PAGE, page * MCE_PAGE) == MCE_PAGE)
		err = 0;
	if (fd >= 0)
		close(fd);
	free(buf);
	return err;
}

/* One request failed for one machine check, and said so. */
static void expect_eio(struct __test_metadata *const _metadata,
		       const struct mce_watch *w, const char *what, ssize_t ret,
		       int err)
{
	mce_outcome("%s: %s, %ld #MC", what,
		    ret < 0 ? mce_errname(err) : "NO ERROR", w->mcs);
	EXPECT_EQ(-1, ret);
	EXPECT_EQ(EIO, err);
	EXPECT_EQ(1, w->mcs);
	EXPECT_EQ(1, w->offlined);
	EXPECT_STREQ("", w->log);
}

/*
 * A page of the device is lost, which is another thing than what the disk has,
 * and the device works. The page is good again once it is overwritten.
 */
static void expect_lost(struct __test_metadata *const _metadata, int fd,
			const char *dev, int page)
{
	const off_t at = page * MCE_PAGE;
	struct mce_watch w;
	__u8 buf[MCE_PAGE];
	int i;

	mce_watch_start(&w);
	/* It is told with each write that failed, and when the page is gone. */
	for (i = 0; i < 6 && fsync(fd); i++)
		;
	EXPECT_EQ(0, fsync(fd));
	mce_drop_caches();
	EXPECT_EQ(-1, pread(fd, buf, MCE_PAGE, at));
	EXPECT_EQ(EIO, errno);
	EXPECT_EQ(-2, on_disk(dev, page, OLD));
	mce_fill(buf, MCE_PAGE, NEW + 2, at);
	EXPECT_EQ((ssize_t)MCE_PAGE, pwrite(fd, buf, MCE_PAGE, at));
	EXPECT_EQ(0, fsync(fd));
	EXPECT_EQ((ssize_t)MCE_PAGE, pread(fd, buf, MCE_PAGE, at));
	EXPECT_EQ(-1, mce_differs(buf, MCE_PAGE, NEW + 2, at));
	EXPECT_EQ(-1, on_disk(dev, page, NEW + 2));
	mce_watch_end(&w, 0);
	EXPECT_EQ(0, w.mcs);
	EXPECT_STREQ("", w.log);
}

/* Dirty page cache of the device: written at fsync(2). */
TEST_F_TIMEOUT(disk, write_buffered, 90)
{
	const int at = 3;
	struct mce_watch w;
	__u8 buf[MCE_PAGE];
	int err, saved, i;
	__u64 old;

	for (i = 0; i < 6; i++) {
		mce_fill(buf, MCE_PAGE, NEW, i * MCE_PAGE);
		ASSERT_EQ(MCE_PAGE, pwrite(self->fd, buf, MCE_PAGE, i * MCE_PAGE));
	}
	ASSERT_EQ(0, mce_arm_file(self->fd, at * MCE_PAGE + 1024, &old));
	mce_watch_start(&w);
	errno = 0;
	err = fsync(self->fd);
	saved = errno;
	mce_watch_end(&w, 1);
	expect_eio(_metadata, &w, "fsync", err, saved);
	EXPECT_TRUE(mce_page_offlined(old));
	expect_lost(_metadata, self->fd, variant->dev, at);
	/* What can be written around the bad page is. */
	mce_fill(buf, MCE_PAGE, NEW, 7 * MCE_PAGE);
	EXPECT_EQ(MCE_PAGE, pwrite(self->fd, buf, MCE_PAGE, 7 * MCE_PAGE));
	EXPECT_EQ(0, fsync(self->fd));
	EXPECT_EQ(-1, on_disk(variant->dev, 7, NEW));
}

/* Clean page cache of the device: the disk has it as well. */
TEST_F_TIMEOUT(disk, read_cached, 90)
{
	const off_t at = 5 * MCE_PAGE;
	struct mce_watch w;
	__u8 buf[MCE_PAGE];
	__u64 old, now;
	ssize_t n;
	int saved;

	ASSERT_EQ(0, mce_arm_file(self->fd, at + 1024, &old));
	mce_watch_start(&w);
	n = pread(self->fd, buf, MCE_PAGE, at);
	saved = errno;
	mce_watch_end(&w, 1);
	mce_outcome("pread: %s, %ld #MC", n < 0 ? mce_errname(saved) : "no error",
		    w.mcs);
	EXPECT_EQ((ssize_t)MCE_PAGE, n);
	EXPECT_EQ(-1, mce_differs(buf, MCE_PAGE, OLD, at));
	EXPECT_EQ(1, w.mcs);
	EXPECT_EQ(1, w.offlined);
	EXPECT_STREQ("", w.log);
	EXPECT_TRUE(mce_page_offlined(old));
	ASSERT_EQ(0, mce_file_phys(self->fd, at, &now));
	EXPECT_NE(old / MCE_PAGE, now / MCE_PAGE);
}

/* Dirty page cache of the device, which a program is the first to read. */
TEST_F_TIMEOUT(disk, read_dirty, 90)
{
	const int at = 5;
	struct mce_watch w;
	__u8 buf[MCE_PAGE];
	int saved;
	ssize_t n;
	__u64 old;

	mce_fill(buf, MCE_PAGE, NEW, at * MCE_PAGE);
	ASSERT_EQ((ssize_t)MCE_PAGE, pwrite(self->fd, buf, MCE_PAGE, at * MCE_PAGE));
	ASSERT_EQ(0, mce_arm_file(self->fd, at * MCE_PAGE + 1024, &old));
	mce_watch_start(&w);
	n = pread(self->fd, buf, MCE_PAGE, at * MCE_PAGE);
	saved = errno;
	mce_watch_end(&w, 1);
	expect_eio(_metadata, &w, "pread", n, saved);
	EXPECT_TRUE(mce_page_offlined(old));
	expect_lost(_metadata, self->fd, variant->dev, at);
}

/* A program's buffer, taken straight to the driver. */
TEST_F_TIMEOUT(disk, write_direct, 90)
{
	struct mce_watch w;
	__u8 *buf;
	__u64 old;
	ssize_t n;
	int fd, saved;

	fd = open(variant->dev, O_RDWR | O_DIRECT | O_CLOEXEC);
	ASSERT_GE(fd, 0);
	buf = mmap(NULL, 2 * MCE_PAGE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, buf);
	mce_fill(buf, 2 * MCE_PAGE, NEW, 0);
	ASSERT_EQ(0, mce_arm(buf + 1024, &old));
	mce_watch_start(&w);
	errno = 0;
	n = pwrite(fd, buf, MCE_PAGE, 0);
	saved = errno;
	mce_watch_end(&w, 1);
	expect_eio(_metadata, &w, "pwrite", n, saved);
	EXPECT_TRUE(mce_page_offlined(old));
	EXPECT_STREQ("", mce_owner_hears(buf + 1024));
	EXPECT_EQ(-1, on_disk(variant->dev, 1, OLD));
	munmap(buf, 2 * MCE_PAGE);
	close(fd);
}

/* The disk's own memory goes bad. */
TEST_F_TIMEOUT(disk, read, 90)
{
	__u8 mark[64], buf[MCE_PAGE];
	struct mce_watch w;
	int saved;
	__u64 phys;
	ssize_t n;

	if (variant->loop || variant->crypt)
		SKIP(return, "it has no memory of its own");
	ioctl(self->fd, BLKFLSBUF, 0);
	/* Nowhere but there, and in this program. */
	ASSERT_EQ(0, write_direct(variant->dev, 9, NEW + 1));
	/* Nor in what a compressor keeps of it. */
	ASSERT_EQ(0, write_direct(variant->dev, 11, NEW));
	mce_fill(buf, MCE_PAGE, NEW + 1, 9 * MCE_PAGE);
	memcpy(mark, buf + 1024, sizeof(mark));
	memset(buf, 0, sizeof(buf));
	ASSERT_EQ(1, mce_find_driver_copy(mark, sizeof(mark), &phys));
	memset(mark, 0, sizeof(mark));
	ASSERT_EQ(0, mce_arm_phys(phys));
	mce_watch_start(&w);
	errno = 0;
	posix_fadvise(self->fd, 0, 0, POSIX_FADV_RANDOM);
	n = pread(self->fd, buf, MCE_PAGE, 9 * MCE_PAGE);
	saved = errno;
	mce_watch_end(&w, 1);
	mce_outcome("pread: %s, %ld #MC", n < 0 ? mce_errname(saved) : "NO ERROR",
		    w.mcs);
	EXPECT_EQ(-1, n);
	EXPECT_EQ(EIO, saved);
	EXPECT_EQ(1, w.mcs);
	EXPECT_STREQ("", w.log);
	EXPECT_EQ(MCE_PAGE, pread(self->fd, buf, MCE_PAGE, 10 * MCE_PAGE));
	EXPECT_EQ(-1, mce_differs(buf, MCE_PAGE, OLD, 10 * MCE_PAGE));
	/* Until it is overwritten, without another machine check. */
	mce_watch_start(&w);
	EXPECT_EQ(-1, pread(self->fd, buf, MCE_PAGE, 9 * MCE_PAGE));
	EXPECT_EQ(0, write_direct(variant->dev, 9, NEW));
	EXPECT_EQ(-1, on_disk(variant->dev, 9, NEW));
	mce_watch_end(&w, 0);
	EXPECT_EQ(0, w.mcs);
}

#include "mce_main.h"
