// SPDX-License-Identifier: GPL-2.0
/*
 * ksmd reads other people's memory to find pages that are alike.
 *
 * A page that it cannot read stays as it is and leaves service, ksmd goes on,
 * and the owner hears of it when it touches the page, not before.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../kselftest_harness.h"
#include "mce_lib.h"

#define SEED	0x4b53
#define NPAGES	8
#define HUGE	(2UL << 20)
#define KSM	"/sys/kernel/mm/ksm/"

/* Let ksmd go over all memory @passes times. */
static int scan(int passes)
{
	long from = mce_get(KSM "full_scans");
	int i;

	if (from < 0 || mce_put(KSM "run", "1"))
		return -1;
	for (i = 0; i < 800; i++) {
		/* The pass that is on now began with older data. */
		if (mce_get(KSM "full_scans") > from + passes)
			break;
		usleep(10000);
	}
	/* A ksmd that died holds a lock that this would wait for. */
	if (i == 800)
		return -1;
	return mce_put(KSM "run", "0");
}

static unsigned long pfn_of(const void *addr)
{
	__u64 phys = 0;

	return mce_phys(addr, &phys) ? 0 : phys / MCE_PAGE;
}

FIXTURE(ksm)
{
	__u8 *map;
};

FIXTURE_SETUP(ksm)
{
	int i;

	self->map = MAP_FAILED;
	if (mce_get(KSM "run") < 0)
		SKIP(return, "needs CONFIG_KSM");
	ASSERT_EQ(0, mce_pin(0));
	ASSERT_EQ(0, mce_put(KSM "run", "2"));
	mce_put(KSM "pages_to_scan", "4000");
	mce_put(KSM "sleep_millisecs", "1");
	mce_put(KSM "smart_scan", "0");
	self->map = mmap(NULL, NPAGES * MCE_PAGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->map);
	/* All different; a case makes alike what it wants to be merged. */
	for (i = 0; i < NPAGES; i++)
		mce_fill(self->map + i * MCE_PAGE, MCE_PAGE, SEED + i, 0);
	ASSERT_EQ(0, madvise(self->map, NPAGES * MCE_PAGE, MADV_MERGEABLE));
}

FIXTURE_TEARDOWN(ksm)
{
	mce_retire();
	if (self->map == MAP_FAILED)
		return;
	munmap(self->map, NPAGES * MCE_PAGE);
	mce_put(KSM "run", "2");
	mce_put(KSM "run", "0");
}

/* The checksum is the first to read a page. */
TEST_F_TIMEOUT(ksm, checksum, 90)
{
	__u8 *bad = self->map + 3 * MCE_PAGE;
	struct mce_watch w;
	__u64 old;
	int i;

	mce_fill(self->map + 5 * MCE_PAGE, MCE_PAGE, SEED + 1, 0);
	ASSERT_EQ(0, mce_arm(bad + 1024, &old));
	mce_watch_start(&w);
	ASSERT_EQ(0, scan(4));
	mce_watch_end(&w, 1);
	mce_outcome("ksmd goes on, %ld #MC", w.mcs);
	EXPECT_EQ(1, w.mcs);
	EXPECT_EQ(1, w.offlined);
	EXPECT_STREQ("", w.log);
	EXPECT_TRUE(mce_page_offlined(old));
	EXPECT_STREQ("", mce_owner_hears(bad + 1024));
	/* It does its work on the others. */
	EXPECT_EQ(pfn_of(self->map + 1 * MCE_PAGE),
		  pfn_of(self->map + 5 * MCE_PAGE));
	for (i = 0; i < NPAGES; i++)
		if (i != 3 && i != 5)
			EXPECT_EQ(-1, mce_differs(self->map + i * MCE_PAGE,
						  MCE_PAGE, SEED + i, 0));
}

/* A page of zeroes would be given up for the page of zeroes. */
TEST_F_TIMEOUT(ksm, zero_page, 90)
{
	__u8 *bad = self->map + 3 * MCE_PAGE;
	struct mce_watch w;
	__u64 old;

	mce_put(KSM "use_zero_pages", "1");
	memset(bad, 0, MCE_PAGE);
	ASSERT_EQ(0, mce_arm(bad + 1024, &old));
	mce_watch_start(&w);
	ASSERT_EQ(0, scan(4));
	mce_watch_end(&w, 1);
	mce_put(KSM "use_zero_pages", "0");
	mce_outcome("ksmd goes on, %ld #MC", w.mcs);
	EXPECT_EQ(1, w.mcs);
	EXPECT_EQ(1, w.offlined);
	EXPECT_STREQ("", w.log);
	EXPECT_STREQ("", mce_owner_hears(bad + 1024));
}

/* A page that is shared already, compared with one that is new. */
TEST_F_TIMEOUT(ksm, compare, 90)
{
	__u8 *a = self->map, *b = a + MCE_PAGE, *c = b + MCE_PAGE;
	struct mce_watch w;
	__u64 old;

	mce_fill(b, MCE_PAGE, SEED, 0);
	ASSERT_EQ(0, scan(4));
	ASSERT_EQ(pfn_of(a), pfn_of(b));
	ASSERT_EQ(0, mce_arm(a + 2048, &old));
	mce_fill(c, MCE_PAGE, SEED, 0);
	mce_fill(c + MCE_PAGE, MCE_PAGE, SEED, 0);
	mce_watch_start(&w);
	ASSERT_EQ(0, scan(4));
	mce_watch_end(&w, 1);
	mce_outcome("ksmd goes on, %ld #MC", w.mcs);
	EXPECT_EQ(1, w.mcs);
	EXPECT_EQ(1, w.offlined);
	EXPECT_STREQ("", w.log);
	EXPECT_TRUE(mce_page_offlined(old));
	/* Both sharers have lost it, those who were to join have not. */
	EXPECT_STREQ("", mce_owner_hears(a + 2048));
	EXPECT_STREQ("", mce_owner_hears(b + 2048));
	EXPECT_EQ(-1, mce_differs(c, MCE_PAGE, SEED, 0));
	EXPECT_EQ(-1, mce_differs(c + MCE_PAGE, MCE_PAGE, SEED, 0));
	/* And find each other without the lost page in between. */
	EXPECT_EQ(pfn_of(c), pfn_of(c + MCE_PAGE));
}

/*
 * The program finds it first. ksmd still knows the page, which has left the
 * kernel's page tables.
 */
TEST_F_TIMEOUT(ksm, compare_with_lost, 90)
{
	__u8 *a = self->map, *b = a + MCE_PAGE, *c = b + MCE_PAGE;
	struct mce_sigbus sb;
	struct mce_watch w;
	__u64 old;

	mce_fill(b, MCE_PAGE, SEED, 0);
	ASSERT_EQ(0, scan(4));
	ASSERT_EQ(pfn_of(a), pfn_of(b));
	ASSERT_EQ(0, mce_arm(a + 2048, &old));
	mce_watch_start(&w);
	ASSERT_FALSE(mce_load(b + 2048, NULL, &sb));
	mce_watch_end(&w, 1);
	EXPECT_EQ(1, w.mcs);
	EXPECT_EQ(BUS_MCEERR_AR, sb.code);
	EXPECT_TRUE(mce_page_offlined(old));

	mce_fill(c, MCE_PAGE, SEED, 0);
	mce_fill(c + MCE_PAGE, MCE_PAGE, SEED, 0);
	mce_watch_start(&w);
	EXPECT_EQ(0, scan(4));
	mce_watch_end(&w, 0);
	mce_outcome("ksmd goes on, %ld #MC", w.mcs);
	EXPECT_EQ(0, w.mcs);
	EXPECT_STREQ("", w.log);
	EXPECT_STREQ("", mce_owner_hears(a + 2048));
	EXPECT_STREQ("", mce_owner_hears(b + 2048));
	EXPECT_EQ(-1, mce_differs(c, MCE_PAGE, SEED, 0));
	EXPECT_EQ(pfn_of(c), pfn_of(c + MCE_PAGE));
}

/* ksmd holds a page of a huge page, which must be split to lose only that. */
TEST_F_TIMEOUT(ksm, huge, 90)
{
	struct mce_watch w;
	__u8 *area, *huge;
	__u64 old;

	area = mmap(NULL, 2 * HUGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, area);
	huge = (__u8 *)(((unsigned long)area + HUGE - 1) & ~(HUGE - 1));
	madvise(huge, HUGE, MADV_HUGEPAGE);
	mce_fill(huge, HUGE, SEED, 0);
	ASSERT_EQ(0, mce_phys(huge + 7 * MCE_PAGE + 512, &old));
	if (!mce_page_large(old))
		SKIP(return, "no huge page");
	ASSERT_EQ(0, madvise(huge, HUGE, MADV_MERGEABLE));
	ASSERT_EQ(0, mce_arm(huge + 7 * MCE_PAGE + 512, NULL));
	mce_watch_start(&w);
	ASSERT_EQ(0, scan(3));
	mce_watch_end(&w, 1);
	mce_outcome("ksmd goes on, %ld #MC", w.mcs);
	EXPECT_EQ(1, w.mcs);
	EXPECT_EQ(1, w.offlined);
	EXPECT_STREQ("", w.log);
	EXPECT_TRUE(mce_page_offlined(old));
	EXPECT_STREQ("", mce_owner_hears(huge + 7 * MCE_PAGE + 512));
	EXPECT_EQ(-1, mce_differs(huge, 7 * MCE_PAGE, SEED, 0));
	EXPECT_EQ(-1, mce_differs(huge + 8 * MCE_PAGE, HUGE - 8 * MCE_PAGE, SEED,
				  8 * MCE_PAGE));
	mce_retire();
	munmap(area, 2 * HUGE);
}

#include "mce_main.h"
