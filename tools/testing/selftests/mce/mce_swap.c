// SPDX-License-Identifier: GPL-2.0
/*
 * A page is written to swap, or read from there.
 *
 * A page that cannot be read is not written: it stays, leaves service, and its
 * owner gets SIGBUS on the next touch. A copy in swap that cannot be read
 * gives SIGBUS too, and never a page of something else.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/kernel-page-flags.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/swap.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../kselftest_harness.h"
#include "mce_lib.h"

#define SEED	0x5377
#define NPAGES	64
#define HUGE	(2UL << 20)

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT	21
#endif

/* What is in front of the version of a swap area's header. */
#define SWAP_HEADER	1024
#define SWAP_MAGIC	(MCE_PAGE - 10)

enum content {
	RAW,		/* cannot be compressed, stored as it is */
	TEXT,		/* can be compressed, but for a few bytes */
	ZEROES,
};

FIXTURE(swap)
{
	__u8 *map;
	const char *dev;
};

FIXTURE_VARIANT(swap)
{
	const char *dev;
	bool zswap;
	bool zram;
	/* The kernel's copy is in memory, where it can be made bad. */
	bool memory;
};

FIXTURE_VARIANT_ADD(swap, disk)
{
	.dev = "/dev/vdb",
};

FIXTURE_VARIANT_ADD(swap, zram)
{
	.dev = "/dev/zram0",
	.zram = true,
	.memory = true,
};

FIXTURE_VARIANT_ADD(swap, zswap)
{
	.dev = "/dev/vdb",
	.zswap = true,
	.memory = true,
};

FIXTURE_VARIANT_ADD(swap, ramdisk)
{
	.dev = "/dev/ram0",
	.memory = true,
};

static int make_swap(const char *dev, unsigned int pages)
{
	__u8 page[MCE_PAGE] = { 0 };
	__u32 info[3] = { 1, pages - 1, 0 };
	int fd, ok;

	memcpy(page + SWAP_HEADER, info, sizeof(info));
	memcpy(page + SWAP_MAGIC, "SWAPSPACE2", 10);
	fd = open(dev, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	ok = write(fd, page, sizeof(page)) == sizeof(page) && !fsync(fd);
	close(fd);
	return ok ? 0 : -1;
}

/* A page that is known by its number, whatever is in it. */
static void fill(__u8 *page, enum content content, int nr)
{
	if (content == RAW) {
		mce_fill(page, MCE_PAGE, SEED + nr, 0);
		return;
	}
	memset(page, 0, MCE_PAGE);
	if (content == TEXT)
		mce_fill(page + 2048, 48, SEED + nr, 0);
}

static bool right(const __u8 *page, enum content content, int nr)
{
	__u8 want[MCE_PAGE];

	fill(want, content, nr);
	return !memcmp(page, want, MCE_PAGE);
}

static bool present(const void *addr)
{
	__u64 phys;

	return !mce_phys(addr, &phys);
}

/* Push pages out; MADV_PAGEOUT does what it can at once. */
static bool page_out(__u8 *from, int pages)
{
	int i, tries;

	for (tries = 0; tries < 10; tries++) {
		madvise(from, pages * MCE_PAGE, MADV_PAGEOUT);
		for (i = 0; i < pages; i++)
			if (present(from + i * MCE_PAGE))
				break;
		if (i == pages)
			return true;
	}
	return false;
}

FIXTURE_SETUP(swap)
{
	/* RAM disks have 4 MiB, if nobody says otherwise. */
	const unsigned int pages = 1024;

	self->map = MAP_FAILED;
	self->dev = NULL;
	ASSERT_EQ(0, mce_pin(0));
	if (access(variant->dev, W_OK))
		SKIP(return, "no %s", variant->dev);
	if (variant->zram) {
		mce_put("/sys/block/zram0/reset", "1");
		ASSERT_EQ(0, mce_put("/sys/block/zram0/disksize", "32M"));
	}
	if (mce_put("/sys/module/zswap/parameters/enabled",
		    variant->zswap ? "1" : "0") && variant->zswap)
		SKIP(return, "no zswap");
	mce_put("/proc/sys/vm/page-cluster", "0");
	ASSERT_EQ(0, make_swap(variant->dev, pages));
	ASSERT_EQ(0, swapon(variant->dev, 0));
	self->dev = variant->dev;
	self->map = mmap(NULL, NPAGES * MCE_PAGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->map);
	madvise(self->map, NPAGES * MCE_PAGE, MADV_NOHUGEPAGE);
}

FIXTURE_TEARDOWN(swap)
{
	mce_retire();
	if (self->map != MAP_FAILED)
		munmap(self->map, NPAGES * MCE_PAGE);
	if (self->dev)
		swapoff(self->dev);
	if (variant->zram)
		mce_put("/sys/block/zram0/reset", "1");
	mce_put("/sys/module/zswap/parameters/enabled", "0");
}

static void go_out(struct __test_metadata *_metadata, __u8 *map,
		   enum content content)
{
	__u8 *bad = map + 5 * MCE_PAGE;
	struct mce_watch w;
	__u64 old;
	int i;

	for (i = 0; i < NPAGES; i++)
		fill(map + i * MCE_PAGE, content, i);
	ASSERT_EQ(0, mce_arm(bad + 1024, &old));
	mce_watch_start(&w);
	madvise(map, 16 * MCE_PAGE, MADV_PAGEOUT);
	mce_watch_end(&w, 1);
	mce_outcome("the others go to swap, %ld #MC", w.mcs);
	EXPECT_EQ(1, w.mcs);
	EXPECT_EQ(1, w.offlined);
	EXPECT_STREQ("", w.log);
	EXPECT_TRUE(mce_page_offlined(old));
	EXPECT_STREQ("", mce_owner_hears(bad + 1024));
	EXPECT_STREQ("", mce_owner_hears(bad));
	EXPECT_TRUE(page_out(map + 6 * MCE_PAGE, 8));
	for (i = 0; i < NPAGES; i++)
		if (i != 5)
			EXPECT_TRUE(right(map + i * MCE_PAGE, content, i));
}

TEST_F_TIMEOUT(swap, out, 90)
{
	go_out(_metadata, self->map, RAW);
}

TEST_F_TIMEOUT(swap, out_zeroes, 90)
{
	go_out(_metadata, self->map, ZEROES);
}

/* One page of a huge page: the others are split off and go. */
TEST_F_TIMEOUT(swap, out_huge, 90)
{
	__u8 *area, *huge, *bad;
	struct mce_watch w;
	__u64 old;

	area = mmap(NULL, 2 * HUGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, area);
	huge = (__u8 *)(((unsigned long)area + HUGE - 1) & ~(HUGE - 1));
	madvise(huge, HUGE, MADV_HUGEPAGE);
	mce_fill(huge, HUGE, SEED, 0);
	bad = huge + 7 * MCE_PAGE + 512;
	ASSERT_EQ(0, mce_phys(bad, &old));
	if (!mce_page_large(old))
		SKIP(return, "no huge page");
	ASSERT_EQ(0, mce_arm(bad, NULL));
	mce_watch_start(&w);
	madvise(huge, HUGE, MADV_PAGEOUT);
	mce_watch_end(&w, 1);
	mce_outcome("huge page, %ld #MC", w.mcs);
	EXPECT_EQ(1, w.mcs);
	EXPECT_EQ(1, w.offlined);
	EXPECT_STREQ("", w.log);
	EXPECT_TRUE(mce_page_offlined(old));
	EXPECT_STREQ("", mce_owner_hears(bad));
	EXPECT_EQ(-1, mce_differs(huge, 7 * MCE_PAGE, SEED, 0));
	EXPECT_EQ(-1, mce_differs(huge + 8 * MCE_PAGE, HUGE - 8 * MCE_PAGE, SEED,
				  8 * MCE_PAGE));
	mce_retire();
	munmap(area, 2 * HUGE);
}

/* Memory of a tmpfs, which is not mapped by what it belongs to. */
TEST_F_TIMEOUT(swap, out_shmem, 90)
{
	struct mce_sigbus sb;
	struct mce_watch w;
	__u8 *map, *bad;
	__u64 old;
	int i;

	map = mmap(NULL, NPAGES * MCE_PAGE, PROT_READ | PROT_WRITE,
		   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, map);
	for (i = 0; i < NPAGES; i++)
		fill(map + i * MCE_PAGE, RAW, i);
	bad = map + 5 * MCE_PAGE + 1024;
	ASSERT_EQ(0, mce_arm(bad, &old));
	mce_watch_start(&w);
	madvise(map, 16 * MCE_PAGE, MADV_PAGEOUT);
	mce_watch_end(&w, 1);
	EXPECT_EQ(1, w.mcs);
	EXPECT_EQ(1, w.offlined);
	EXPECT_STREQ("", w.log);
	EXPECT_TRUE(mce_page_offlined(old));
	mce_watch_start(&w);
	EXPECT_FALSE(mce_load(bad, NULL, &sb));
	mce_watch_end(&w, 0);
	mce_outcome("then SIGBUS %s, %ld #MC", mce_codename(sb.code), w.mcs);
	EXPECT_EQ(1, sb.count);
	EXPECT_EQ(0, w.mcs);
	for (i = 0; i < NPAGES; i++)
		if (i != 5)
			EXPECT_TRUE(right(map + i * MCE_PAGE, RAW, i));
	mce_retire();
	munmap(map, NPAGES * MCE_PAGE);
}

/* The copy goes bad. Where it is: as found through /dev/mem. */
static void come_in(struct __test_metadata *_metadata, __u8 *map,
		    enum content content, size_t from, size_t len)
{
	__u8 *bad = map + 5 * MCE_PAGE, mark[64];
	struct mce_sigbus sb;
	struct mce_watch w;
	__u64 phys;
	bool ok;
	int i;

	for (i = 0; i < NPAGES; i++)
		fill(map + i * MCE_PAGE, content, i);
	memcpy(mark, bad + from, len);
	ASSERT_TRUE(page_out(bad, 1));
	/* What the compressor keeps of it is overwritten by the next. */
	ASSERT_TRUE(page_out(map + 8 * MCE_PAGE, 32));
	ASSERT_EQ(1, mce_find_driver_copy(mark, len, &phys));
	ASSERT_EQ(0, mce_arm_phys(phys + len / 2));
	mce_watch_start(&w);
	ok = mce_load(bad + from, NULL, &sb);
	mce_watch_end(&w, 1);
	mce_outcome("%s%s, %ld #MC", ok ? "NO SIGNAL" : "SIGBUS ",
		    ok ? "" : mce_codename(sb.code), w.mcs);
	EXPECT_FALSE(ok);
	EXPECT_EQ(1, sb.count);
	EXPECT_EQ(BUS_MCEERR_AR, sb.code);
	EXPECT_TRUE(mce_sigbus_covers(&sb, bad));
	EXPECT_EQ(1, w.mcs);
	EXPECT_STREQ("", w.log);
	EXPECT_TRUE(mce_page_offlined(phys));
	/* It does not come back, and costs no other machine check. */
	EXPECT_STREQ("", mce_owner_hears(bad + from));
	for (i = 0; i < NPAGES; i++)
		if (i != 5)
			EXPECT_TRUE(right(map + i * MCE_PAGE, content, i));
}

TEST_F_TIMEOUT(swap, in_raw, 90)
{
	if (!variant->memory)
		SKIP(return, "that swap is not in memory");
	/* zswap does not take what it cannot compress. */
	if (variant->zswap)
		SKIP(return, "zswap stores no such page");
	come_in(_metadata, self->map, RAW, 1024, 64);
}

TEST_F_TIMEOUT(swap, in_compressed, 90)
{
	if (!variant->memory)
		SKIP(return, "that swap is not in memory");
	come_in(_metadata, self->map, TEXT, 2048, 48);
}

/* Two processes share the copy: the second one hears of the same reason. */
TEST_F_TIMEOUT(swap, in_shared, 90)
{
	__u8 *bad = self->map + 5 * MCE_PAGE, mark[64];
	struct mce_sigbus sb;
	struct mce_watch w;
	int i, status = -1;
	__u64 phys;
	pid_t pid;
	char go;
	int p[2];

	if (!variant->memory || variant->zswap)
		SKIP(return, "that swap does not store such a page in memory");
	for (i = 0; i < NPAGES; i++)
		fill(self->map + i * MCE_PAGE, RAW, i);
	memcpy(mark, bad + 1024, sizeof(mark));
	ASSERT_TRUE(page_out(bad, 1));
	ASSERT_TRUE(page_out(self->map + 8 * MCE_PAGE, 32));
	ASSERT_EQ(0, pipe(p));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		close(p[1]);
		i = read(p[0], &go, 1);
		_exit(mce_load(bad + 1024, NULL, &sb) ? 255 : sb.code);
	}
	ASSERT_EQ(1, mce_find_driver_copy(mark, sizeof(mark), &phys));
	ASSERT_EQ(0, mce_arm_phys(phys + 32));
	mce_watch_start(&w);
	EXPECT_FALSE(mce_load(bad + 1024, NULL, &sb));
	EXPECT_EQ(1, write(p[1], "x", 1));
	EXPECT_EQ(pid, waitpid(pid, &status, 0));
	mce_watch_end(&w, 1);
	mce_outcome("first %s, second %s, %ld #MC", mce_codename(sb.code),
		    WEXITSTATUS(status) == 255 ? "NO SIGNAL" :
		    mce_codename(WEXITSTATUS(status)), w.mcs);
	EXPECT_EQ(BUS_MCEERR_AR, sb.code);
	EXPECT_EQ(BUS_MCEERR_AR, WEXITSTATUS(status));
	EXPECT_EQ(1, w.mcs);
	EXPECT_STREQ("", w.log);
	close(p[0]);
	close(p[1]);
}

/*
 * A page that came back from swap and was not changed has a good copy there,
 * like a clean page of a file: a system call never learns that it went bad.
 */
TEST_F_TIMEOUT(swap, source_with_copy_in_swap, 90)
{
	__u8 *bad = self->map + 5 * MCE_PAGE, buf[MCE_PAGE];
	struct mce_watch w;
	int fds[2], err, tries;
	__u64 phys, flags;
	ssize_t ret;

	if (variant->zswap)
		SKIP(return, "zswap drops its copy");
	fill(bad, RAW, 5);
	ASSERT_TRUE(page_out(bad, 1));
	ASSERT_TRUE(right(bad, RAW, 5));
	ASSERT_EQ(0, mce_phys(bad, &phys));
	/* It can come back before it has arrived there. */
	for (tries = 0; tries < 1000; tries++) {
		flags = mce_page_flags(phys);
		if (!(flags & 1ULL << KPF_WRITEBACK))
			break;
		usleep(1000);
	}
	if (!(flags & 1ULL << KPF_SWAPCACHE))
		SKIP(return, "the copy in swap is not kept");
	ASSERT_EQ(0, pipe2(fds, O_NONBLOCK));
	ASSERT_EQ(0, mce_arm(bad, NULL));
	mce_watch_start(&w);
	ret = write(fds[1], bad, MCE_PAGE);
	err = errno;
	mce_watch_end(&w, 1);
	mce_outcome("write: %s%ld, %ld #MC", ret < 0 ? "-" : "", ret < 0 ? err : ret, w.mcs);
	EXPECT_EQ((ssize_t)MCE_PAGE, ret);
	EXPECT_EQ(1, w.mcs);
	EXPECT_EQ(1, w.offlined);
	EXPECT_STREQ("", w.log);
	EXPECT_TRUE(mce_page_offlined(phys));
	ASSERT_EQ((ssize_t)MCE_PAGE, read(fds[0], buf, MCE_PAGE));
	EXPECT_TRUE(right(buf, RAW, 5));
	EXPECT_TRUE(right(bad, RAW, 5));
	close(fds[0]);
	close(fds[1]);
}

#include "mce_main.h"
