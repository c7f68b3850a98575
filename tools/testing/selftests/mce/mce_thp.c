// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel makes huge pages, and takes them apart, and reads them for it.
 *
 * A range with a bad page is not collapsed. A split that looks for pages of
 * zeroes keeps a page that it cannot read. The page leaves service, and the
 * owner hears of it when it touches the page.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../kselftest_harness.h"
#include "mce_lib.h"

#define SEED	0x7468
#define HUGE	(2UL << 20)
#define NPAGES	(HUGE / MCE_PAGE)
#define THP	"/sys/kernel/mm/transparent_hugepage/"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif

FIXTURE(thp)
{
	__u8 *area, *huge;
};

FIXTURE_SETUP(thp)
{
	self->area = MAP_FAILED;
	if (access(THP "enabled", R_OK))
		SKIP(return, "needs transparent huge pages");
	ASSERT_EQ(0, mce_pin(0));
	self->area = mmap(NULL, 2 * HUGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->area);
	self->huge = (__u8 *)(((unsigned long)self->area + HUGE - 1) & ~(HUGE - 1));
}

FIXTURE_TEARDOWN(thp)
{
	mce_retire();
	if (self->area != MAP_FAILED)
		munmap(self->area, 2 * HUGE);
}

/* A huge page at @huge: all zeroes but for the first byte of each page. */
static bool make_huge(__u8 *huge, unsigned long pages)
{
	unsigned long i;
	__u64 phys;

	madvise(huge, HUGE, MADV_HUGEPAGE);
	for (i = 0; i < pages; i++)
		huge[i * MCE_PAGE] = i % 255 + 1;
	return !mce_phys(huge, &phys) && mce_page_large(phys);
}

/* Pages that are not as make_huge() left them, but for two. */
static int spoilt(const __u8 *huge, unsigned long pages, unsigned long but,
		  unsigned long and_but)
{
	unsigned long i, j;
	int bad = 0;

	for (i = 0; i < NPAGES; i++) {
		if (i == but || i == and_but)
			continue;
		if (huge[i * MCE_PAGE] != (i < pages ? i % 255 + 1 : 0))
			bad++;
		for (j = 1; j < MCE_PAGE; j++)
			if (huge[i * MCE_PAGE + j]) {
				bad++;
				break;
			}
	}
	return bad;
}

static int split_at(const void *addr)
{
	char text[96];

	snprintf(text, sizeof(text), "%d,0x%lx,0x%lx", getpid(),
		 (unsigned long)addr, (unsigned long)addr + HUGE);
	return mce_put("/sys/kernel/debug/split_huge_pages", text);
}

TEST_F_TIMEOUT(thp, madv_collapse, 90)
{
	__u8 *bad = self->huge + 17 * MCE_PAGE + 1024;
	struct mce_watch w;
	__u64 old, phys;
	int err = 0, saved = 0, i;

	mce_fill(self->huge, HUGE, SEED, 0);
	ASSERT_EQ(0, mce_arm(bad, &old));
	ASSERT_FALSE(mce_page_large(old));
	mce_watch_start(&w);
	/* What is still on its way to the LRU lists cannot be collapsed. */
	for (i = 0; i < 20 && !mce_page_offlined(old); i++) {
		err = madvise(self->huge, HUGE, MADV_COLLAPSE);
		saved = errno;
		usleep(20000);
	}
	mce_watch_end(&w, 1);
	mce_outcome("MADV_COLLAPSE: %s, %ld #MC", err ? mce_errname(saved) :
		    "SUCCEEDS", w.mcs);
	EXPECT_EQ(-1, err);
	EXPECT_EQ(1, w.mcs);
	EXPECT_EQ(1, w.offlined);
	EXPECT_STREQ("", w.log);
	EXPECT_TRUE(mce_page_offlined(old));
	ASSERT_EQ(0, mce_phys(self->huge, &phys));
	EXPECT_FALSE(mce_page_large(phys));
	EXPECT_STREQ("", mce_owner_hears(bad));
	EXPECT_EQ(-1, mce_differs(self->huge, 17 * MCE_PAGE, SEED, 0));
	EXPECT_EQ(-1, mce_differs(self->huge + 18 * MCE_PAGE,
				  HUGE - 18 * MCE_PAGE, SEED, 18 * MCE_PAGE));
}

/* khugepaged comes by on its own. */
TEST_F_TIMEOUT(thp, khugepaged, 90)
{
	__u8 *bad = self->huge + 17 * MCE_PAGE + 1024;
	struct mce_watch w, later;
	__u64 old;
	int i;

	madvise(self->huge, HUGE, MADV_NOHUGEPAGE);
	mce_fill(self->huge, HUGE, SEED, 0);
	ASSERT_EQ(0, mce_arm(bad, &old));
	mce_watch_start(&w);
	mce_put(THP "khugepaged/scan_sleep_millisecs", "10");
	mce_put(THP "khugepaged/alloc_sleep_millisecs", "10");
	madvise(self->huge, HUGE, MADV_HUGEPAGE);
	/* It comes by when it pleases. */
	for (i = 0; i < 500 && !mce_page_offlined(old); i++)
		usleep(10000);
	mce_watch_end(&w, 1);
	usleep(300000);
	mce_watch_start(&later);
	usleep(100000);
	mce_watch_end(&later, 0);
	mce_put(THP "khugepaged/scan_sleep_millisecs", "10000");
	mce_outcome("khugepaged goes on, %ld #MC", w.mcs);
	EXPECT_EQ(1, w.mcs);
	EXPECT_EQ(0, later.mcs);
	EXPECT_STREQ("", w.log);
	EXPECT_STREQ("", later.log);
	EXPECT_TRUE(mce_page_offlined(old));
	EXPECT_STREQ("", mce_owner_hears(bad));
	EXPECT_EQ(-1, mce_differs(self->huge, 17 * MCE_PAGE, SEED, 0));
	EXPECT_EQ(-1, mce_differs(self->huge + 18 * MCE_PAGE,
				  HUGE - 18 * MCE_PAGE, SEED, 18 * MCE_PAGE));
}

/* A split maps the page of zeroes instead of pages that are all zero. */
TEST_F_TIMEOUT(thp, split, 90)
{
	struct mce_watch w;
	__u64 old, phys;
	__u8 *bad;
	int err;

	if (!make_huge(self->huge, 100))
		SKIP(return, "no huge page");
	bad = self->huge + 200 * MCE_PAGE + 2048;
	ASSERT_EQ(0, mce_arm(bad, &old));
	mce_watch_start(&w);
	err = split_at(self->huge);
	mce_watch_end(&w, 1);
	mce_outcome("split %s, %ld #MC", err ? "FAILS" : "done", w.mcs);
	EXPECT_EQ(0, err);
	EXPECT_EQ(1, w.mcs);
	EXPECT_EQ(1, w.offlined);
	EXPECT_STREQ("", w.log);
	EXPECT_TRUE(mce_page_offlined(old));
	ASSERT_EQ(0, mce_phys(self->huge, &phys));
	EXPECT_FALSE(mce_page_large(phys));
	EXPECT_STREQ("", mce_owner_hears(bad));
	EXPECT_EQ(0, spoilt(self->huge, 100, 200, 200));
}

/*
 * A program touches a bad page. memory_failure() splits the huge page, and
 * meets another one on the way.
 */
TEST_F_TIMEOUT(thp, split_by_memory_failure, 90)
{
	__u8 *bad, *other;
	struct mce_sigbus sb;
	struct mce_watch w;
	__u64 old, second;

	if (!make_huge(self->huge, 100))
		SKIP(return, "no huge page");
	bad = self->huge + 50 * MCE_PAGE + 640;
	other = self->huge + 300 * MCE_PAGE + 2048;
	ASSERT_EQ(0, mce_arm(bad, &old));
	ASSERT_EQ(0, mce_arm(other, &second));
	mce_watch_start(&w);
	EXPECT_FALSE(mce_load(bad, NULL, &sb));
	mce_watch_end(&w, 2);
	mce_outcome("SIGBUS %s, %ld #MC", mce_codename(sb.code), w.mcs);
	EXPECT_EQ(1, sb.count);
	EXPECT_EQ(BUS_MCEERR_AR, sb.code);
	EXPECT_TRUE(mce_sigbus_covers(&sb, bad));
	EXPECT_EQ(2, w.mcs);
	EXPECT_EQ(2, w.offlined);
	EXPECT_STREQ("", w.log);
	EXPECT_TRUE(mce_page_offlined(old));
	EXPECT_TRUE(mce_page_offlined(second));
	EXPECT_STREQ("", mce_owner_hears(bad));
	EXPECT_STREQ("", mce_owner_hears(other));
	EXPECT_EQ(0, spoilt(self->huge, 100, 50, 300));
}

/* The shrinker counts pages of zeroes in huge pages that are little used. */
TEST_F_TIMEOUT(thp, underused_shrinker, 90)
{
	long none = mce_get(THP "khugepaged/max_ptes_none");
	struct mce_watch w;
	__u64 old;
	__u8 *bad;

	if (mce_put(THP "khugepaged/max_ptes_none", "409") ||
	    mce_put(THP "shrink_underused", "1"))
		SKIP(return, "no shrinker of underused huge pages");
	if (!make_huge(self->huge, 20))
		SKIP(return, "no huge page");
	bad = self->huge + 100 * MCE_PAGE + 2048;
	ASSERT_EQ(0, mce_arm(bad, &old));
	mce_watch_start(&w);
	mce_put("/proc/sys/vm/drop_caches", "2");
	mce_watch_end(&w, 1);
	mce_put(THP "khugepaged/max_ptes_none", none == 511 ? "511" : "0");
	mce_outcome("the shrinker goes on, %ld #MC", w.mcs);
	EXPECT_EQ(1, w.mcs);
	EXPECT_EQ(1, w.offlined);
	EXPECT_STREQ("", w.log);
	EXPECT_TRUE(mce_page_offlined(old));
	EXPECT_STREQ("", mce_owner_hears(bad));
	EXPECT_EQ(0, spoilt(self->huge, 20, 100, 100));
}

#include "mce_main.h"
