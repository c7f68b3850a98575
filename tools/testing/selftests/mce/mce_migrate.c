// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel copies a page: to move it, or because it is written to.
 *
 * A page that cannot be read is not moved; it leaves service, and its owner
 * hears of it on the next touch. Whoever needs the copy at once gets SIGBUS.
 * The other owners of the page are not disturbed, and nobody finds zeroes.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <linux/io_uring.h>
#include <unistd.h>

#include "../kselftest_harness.h"
#include "mce_lib.h"

#define SEED	0x4d69
#define NPAGES	4
#define HUGE	(2UL << 20)

#ifndef MADV_SOFT_OFFLINE
#define MADV_SOFT_OFFLINE	101
#endif

static __u8 *anon(size_t pages)
{
	__u8 *map = mmap(NULL, pages * MCE_PAGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (map == MAP_FAILED)
		return NULL;
	madvise(map, pages * MCE_PAGE, MADV_NOHUGEPAGE);
	mce_fill(map, pages * MCE_PAGE, SEED, 0);
	return map;
}

static void store(void *addr)
{
	asm volatile("movb	$1, %0" : "=m" (*(__u8 *)addr));
}

/* Soft offlining is for a page that may go bad; this one has. */
static void take_softly(struct __test_metadata *_metadata, __u8 *map,
			size_t len, size_t at, size_t unit)
{
	struct mce_watch w;
	__u64 old;
	int err;

	ASSERT_EQ(0, mce_arm(map + at, &old));
	mce_watch_start(&w);
	err = madvise(map + at / unit * unit, unit, MADV_SOFT_OFFLINE);
	mce_watch_end(&w, 1);
	mce_outcome("MADV_SOFT_OFFLINE %s, %ld #MC", err ? "fails" : "SUCCEEDS",
		    w.mcs);
	EXPECT_EQ(-1, err);
	EXPECT_EQ(1, w.mcs);
	EXPECT_LE(1, w.offlined);
	EXPECT_STREQ("", w.log);
	EXPECT_TRUE(mce_page_offlined(old));
	EXPECT_STREQ("", mce_owner_hears(map + at));
	EXPECT_EQ(-1, mce_differs(map, at / unit * unit, SEED, 0));
	at = (at / unit + 1) * unit;
	EXPECT_EQ(-1, mce_differs(map + at, len - at, SEED, at));
	mce_retire();
}

TEST(soft_offline)
{
	__u8 *map;

	ASSERT_EQ(0, mce_pin(0));
	map = anon(NPAGES);
	ASSERT_NE(NULL, map);
	take_softly(_metadata, map, NPAGES * MCE_PAGE, MCE_PAGE + 1024, MCE_PAGE);
	munmap(map, NPAGES * MCE_PAGE);
}

TEST(soft_offline_huge)
{
	__u8 *area, *huge;
	__u64 phys;

	ASSERT_EQ(0, mce_pin(0));
	area = mmap(NULL, 2 * HUGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, area);
	huge = (__u8 *)(((unsigned long)area + HUGE - 1) & ~(HUGE - 1));
	madvise(huge, HUGE, MADV_HUGEPAGE);
	mce_fill(huge, HUGE, SEED, 0);
	ASSERT_EQ(0, mce_phys(huge, &phys));
	if (!mce_page_large(phys))
		SKIP(return, "no huge page");
	take_softly(_metadata, huge, HUGE, 7 * MCE_PAGE + 1024, MCE_PAGE);
	munmap(area, 2 * HUGE);
}

/*
 * Compaction moves pages from low addresses to high ones: every other page of
 * a large area is given back, and the lowest one that stays is bad.
 */
TEST(compaction)
{
	const size_t pages = 16384;
	__u64 phys, old = ~0ULL, now;
	struct mce_watch w;
	__u8 *map, *bad;
	size_t i, at = 0;

	ASSERT_EQ(0, mce_pin(0));
	map = anon(pages);
	ASSERT_NE(NULL, map);
	for (i = 0; i < pages; i += 4)
		madvise(map + (i + 1) * MCE_PAGE, 3 * MCE_PAGE, MADV_DONTNEED);
	for (i = 0; i < pages; i += 4) {
		ASSERT_EQ(0, mce_phys(map + i * MCE_PAGE, &phys));
		if (phys < old && phys > 64UL << 20) {
			old = phys;
			at = i;
		}
	}
	bad = map + at * MCE_PAGE + 1024;
	ASSERT_EQ(0, mce_arm(bad, &old));
	mce_watch_start(&w);
	/* It stops early when others allocate at the same time. */
	for (i = 0; i < 5 && !mce_page_offlined(old); i++) {
		mce_put("/proc/sys/vm/compact_memory", "1");
		usleep(50000);
	}
	mce_watch_end(&w, 1);
	mce_outcome("compaction goes on, %ld #MC", w.mcs);
	if (!w.mcs && !w.offlined) {
		/* Where it finds room decides what it moves. */
		mce_owner_hears(bad);
		mce_retire();
		munmap(map, pages * MCE_PAGE);
		SKIP(return, "compaction left that page where it was");
	}
	EXPECT_EQ(1, w.mcs);
	EXPECT_EQ(1, w.offlined);
	EXPECT_STREQ("", w.log);
	EXPECT_TRUE(mce_page_offlined(old));
	EXPECT_EQ(-ENXIO, mce_phys(bad, &now));
	EXPECT_STREQ("", mce_owner_hears(bad));
	for (i = 0; i < pages; i += 4)
		if (i != at)
			ASSERT_EQ(-1, mce_differs(map + i * MCE_PAGE, MCE_PAGE,
						  SEED, i * MCE_PAGE));
	mce_retire();
	munmap(map, pages * MCE_PAGE);
}

/* A child's first write copies the page that it shares with its parent. */
static void cow_after_fork(struct __test_metadata *_metadata, __u8 *map,
			   size_t len, size_t at, int lsb)
{
	int status = -1, told[2];
	struct mce_sigbus sb = { 0 };
	struct mce_watch w;
	__u64 old;
	pid_t pid;

	ASSERT_EQ(0, pipe(told));
	ASSERT_EQ(0, mce_arm(map + at, &old));
	mce_watch_start(&w);
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		/* Elsewhere in the page: the write itself touches no poison. */
		bool ok = mce_guard(store, map + at - 512, &sb);

		if (write(told[1], &sb, sizeof(sb)) != sizeof(sb))
			_exit(3);
		_exit(ok ? 1 : 0);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_EQ(sizeof(sb), read(told[0], &sb, sizeof(sb)));
	mce_watch_end(&w, 1);
	mce_outcome("child: %s, %ld #MC", sb.count ? mce_codename(sb.code) :
		    "NO SIGNAL", w.mcs);
	EXPECT_EQ(0, status);
	EXPECT_EQ(1, sb.count);
	EXPECT_EQ(BUS_MCEERR_AR, sb.code);
	EXPECT_EQ(lsb, sb.lsb);
	EXPECT_TRUE(mce_sigbus_covers(&sb, map + at - 512));
	EXPECT_EQ(1, w.mcs);
	EXPECT_EQ(1, w.offlined);
	EXPECT_STREQ("", w.log);
	EXPECT_TRUE(mce_page_offlined(old));
	/* The parent hears of it now that it touches the page itself. */
	EXPECT_STREQ("", mce_owner_hears(map + at));
	EXPECT_EQ(-1, mce_differs(map + len, MCE_PAGE, SEED, len));
	close(told[0]);
	close(told[1]);
}

TEST(cow)
{
	__u8 *map;

	ASSERT_EQ(0, mce_pin(0));
	map = anon(NPAGES);
	ASSERT_NE(NULL, map);
	cow_after_fork(_metadata, map, MCE_PAGE, 1024, 12);
	mce_retire();
	munmap(map, NPAGES * MCE_PAGE);
}

TEST(cow_hugetlb)
{
	__u8 *map;

	ASSERT_EQ(0, mce_pin(0));
	map = mmap(NULL, 2 * HUGE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	if (map == MAP_FAILED)
		SKIP(return, "no hugetlb pages");
	mce_fill(map, HUGE + MCE_PAGE, SEED, 0);
	cow_after_fork(_metadata, map, HUGE, 5 * MCE_PAGE + 1024, 21);
	mce_retire();
	munmap(map, 2 * HUGE);
}

/* fork() copies a page at once that a device may be writing to. */
TEST(fork_pinned)
{
	struct io_uring_params par = { 0 };
	struct iovec iov;
	struct mce_watch w;
	__u8 *map, *bad;
	int ring, err;
	__u64 old;
	pid_t pid;

	ASSERT_EQ(0, mce_pin(0));
	map = anon(NPAGES);
	ASSERT_NE(NULL, map);
	ring = syscall(__NR_io_uring_setup, 1, &par);
	if (ring < 0)
		SKIP(return, "no io_uring");
	iov.iov_base = map + MCE_PAGE;
	iov.iov_len = MCE_PAGE;
	ASSERT_EQ(0, syscall(__NR_io_uring_register, ring,
			     IORING_REGISTER_BUFFERS, &iov, 1));
	bad = map + MCE_PAGE + 1024;
	ASSERT_EQ(0, mce_arm(bad, &old));
	mce_watch_start(&w);
	pid = fork();
	err = errno;
	if (!pid)
		_exit(0);
	mce_watch_end(&w, 1);
	if (pid > 0)
		waitpid(pid, NULL, 0);
	mce_outcome("fork %s, %ld #MC", pid < 0 ? mce_errname(err) : "SUCCEEDS",
		    w.mcs);
	EXPECT_EQ(-1, pid);
	EXPECT_EQ(1, w.mcs);
	EXPECT_EQ(1, w.offlined);
	EXPECT_STREQ("", w.log);
	EXPECT_TRUE(mce_page_offlined(old));
	EXPECT_STREQ("", mce_owner_hears(bad));
	close(ring);
	mce_retire();
	munmap(map, NPAGES * MCE_PAGE);
}

/* The first write to a private mapping of a file copies the file's page. */
TEST(private_file)
{
	struct mce_sigbus sb;
	struct mce_watch w;
	struct mce_file f;
	__u8 *map, byte;
	bool ok;
	int err;

	ASSERT_EQ(0, mce_pin(0));
	err = mce_file_open(&f, MCE_FS_TMPFS, 2, 1, SEED);
	if (err == -ENOENT)
		SKIP(return, "no directory on tmpfs");
	ASSERT_EQ(0, err);
	map = mmap(NULL, 2 * MCE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, f.fd, 0);
	ASSERT_NE(MAP_FAILED, map);
	ASSERT_EQ(0, mce_arm_file(f.fd, 1024, NULL));
	mce_watch_start(&w);
	ok = mce_guard(store, map + 512, &sb);
	mce_watch_end(&w, 1);
	mce_outcome("%s, %ld #MC", ok ? "NO SIGNAL" : mce_codename(sb.code), w.mcs);
	EXPECT_FALSE(ok);
	EXPECT_EQ(BUS_MCEERR_AR, sb.code);
	EXPECT_TRUE(mce_sigbus_covers(&sb, map + 512));
	EXPECT_EQ(1, w.mcs);
	EXPECT_EQ(1, w.offlined);
	EXPECT_STREQ("", w.log);
	EXPECT_EQ(-1, pread(f.fd, &byte, 1, 0));
	EXPECT_EQ(EIO, errno);
	EXPECT_EQ(-1, mce_differs(map + MCE_PAGE, MCE_PAGE, SEED, MCE_PAGE));
	mce_file_close(&f);
	munmap(map, 2 * MCE_PAGE);
}

/*
 * A private mapping of memory that has no pages, as the kernel sees it: of the
 * first megabyte, which it leaves alone.
 */
TEST(cow_pfnmap)
{
	const __u64 phys = 0x10000;
	struct mce_sigbus sb;
	struct mce_watch w;
	__u8 *view, val;
	bool ok;
	int fd;

	ASSERT_EQ(0, mce_pin(0));
	fd = open("/dev/mem", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		SKIP(return, "no /dev/mem");
	view = mmap(NULL, MCE_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, phys);
	if (view == MAP_FAILED)
		SKIP(return, "/dev/mem has no RAM: %s", strerror(errno));
	mce_fill(view, MCE_PAGE, SEED, 0);
	munmap(view, MCE_PAGE);
	view = mmap(NULL, MCE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, phys);
	ASSERT_NE(MAP_FAILED, view);
	ASSERT_TRUE(mce_load(view, &val, NULL));
	ASSERT_EQ(0, mce_arm_phys(phys + 1024));
	mce_watch_start(&w);
	ok = mce_guard(store, view + 512, &sb);
	mce_watch_end(&w, 1);
	mce_outcome("%s, %ld #MC", ok ? "NO SIGNAL, a page of zeroes" :
		    mce_codename(sb.code), w.mcs);
	munmap(view, MCE_PAGE);
	close(fd);
	EXPECT_FALSE(ok);
	EXPECT_EQ(BUS_MCEERR_AR, sb.code);
	EXPECT_TRUE(mce_sigbus_covers(&sb, view + 512));
	EXPECT_EQ(1, w.mcs);
	EXPECT_STREQ("", w.log);
}

#include "mce_main.h"
