// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit test of the copies that survive poison, with page faults in its stead:
 * memory that ends where it must not be touched any more. What the CPU it runs
 * on is patched for is what is tested; tools/testing/selftests/mce/copyloops has
 * them all, and machine checks.
 */
#include <kunit/test.h>
#include <linux/module.h>
#include <linux/string.h>
#include <linux/vmalloc.h>

#include <asm/copy_mc_recover.h>

/* Every length up to here, and a few of those that are copied line by line */
#define SHORT		300
#define LONG		1024
#define LONGEST		1160
#define CANARY		0xa5

/* Vmalloc areas have a page behind them that is not there. */
#define AREA		(2 * PAGE_SIZE)

struct areas {
	u8 *src, *src_end;
	u8 *dst, *dst_end;
};

static int areas_init(struct kunit *test)
{
	struct areas *a = kunit_kzalloc(test, sizeof(*a), GFP_KERNEL);
	size_t i;

	KUNIT_ASSERT_NOT_NULL(test, a);
	test->priv = a;
	if (IS_ENABLED(CONFIG_KASAN) || IS_ENABLED(CONFIG_KMSAN))
		kunit_skip(test, "reads out of bounds, on purpose");

	a->src = vmalloc(AREA);
	a->dst = vmalloc(AREA);
	KUNIT_ASSERT_NOT_NULL(test, a->src);
	KUNIT_ASSERT_NOT_NULL(test, a->dst);
	a->src_end = a->src + AREA;
	a->dst_end = a->dst + AREA;
	for (i = 0; i < AREA; i++)
		a->src[i] = i * 2654435761u >> 13;

	return 0;
}

static void areas_exit(struct kunit *test)
{
	struct areas *a = test->priv;

	vfree(a->src);
	vfree(a->dst);
}

/* Of @len bytes at @src, @good can be read and @room be written. */
static bool copies(struct kunit *test, u8 *dst, const u8 *src, size_t len,
		   size_t good, size_t room)
{
	struct areas *a = test->priv;
	size_t can = min3(len, good, room);
	unsigned long left;

	memset(a->dst, CANARY, AREA);
	left = copy_mc_to_kernel(dst, src, len);
	if (left == len - can && !memcmp(dst, src, can) &&
	    !memchr_inv(a->dst, CANARY, dst - a->dst) &&
	    !memchr_inv(dst + can, CANARY, a->dst_end - dst - can))
		return true;

	KUNIT_FAIL(test, "%zu bytes, %zu can be read, %zu written: returned %lu",
		   len, good, room, left);
	return false;
}

static size_t next(size_t len)
{
	if (len < SHORT)
		return len + 1;
	return len == SHORT ? LONG : len + 23;
}

static void copy_mc_whole(struct kunit *test)
{
	struct areas *a = test->priv;
	size_t len, at;

	for (len = 0; len <= LONGEST; len = next(len))
		for (at = 0; at < MC_LINE; at++)
			if (!copies(test, a->dst + 64 + at % 9, a->src + at, len, len, len))
				return;
}

static void copy_mc_bad_source(struct kunit *test)
{
	struct areas *a = test->priv;
	size_t len, good;

	for (len = 1; len <= LONGEST; len = next(len))
		for (good = 0; good < len; good++)
			if (!copies(test, a->dst + 64 + good % 9, a->src_end - good, len,
				    good, len))
				return;
}

static void copy_mc_bad_target(struct kunit *test)
{
	struct areas *a = test->priv;
	size_t len, room;

	for (len = 1; len <= LONGEST; len = next(len))
		for (room = 0; room < len; room++)
			if (!copies(test, a->dst_end - room, a->src + room % 9, len, len, room))
				return;
}

static void good_ahead(struct kunit *test)
{
	static const struct {
		const char *what;
		unsigned long addr, reach;
		struct ex_info info;
		unsigned long good;
	} cases[] = {
		{ "same line", 0x1010, 64, { .mc_addr = 0x9000, .mc_valid = true }, 0 },
		{ "its start", 0x1000, 64, { .mc_addr = 0x9000, .mc_valid = true }, 0 },
		{ "next line", 0x103c, 8, { .mc_addr = 0x9040, .mc_valid = true }, 4 },
		{ "in a line", 0x103c, 8, { .mc_addr = 0x9077, .mc_valid = true }, 4 },
		{ "next page", 0x1ffd, 8, { .mc_addr = 0x9000, .mc_valid = true }, 3 },
		{ "too far", 0x1038, 7, { .mc_addr = 0x9040, .mc_valid = true }, 0 },
		{ "behind it", 0x1080, 64, { .mc_addr = 0x9040, .mc_valid = true }, 0 },
		{ "no address", 0x103c, 8, { .mc_addr = 0x9040 }, 0 },
		{ "a page", 0x1ffd, 8, { .mc_addr = 0x9000, .mc_lsb = 12, .mc_valid = true }, 0 },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++)
		KUNIT_EXPECT_EQ_MSG(test, cases[i].good,
				    mc_good_ahead(cases[i].addr, cases[i].reach, &cases[i].info),
				    "%s", cases[i].what);
}

static struct kunit_case copy_mc_cases[] = {
	KUNIT_CASE(copy_mc_whole),
	KUNIT_CASE(copy_mc_bad_source),
	KUNIT_CASE(copy_mc_bad_target),
	KUNIT_CASE(good_ahead),
	{}
};

static struct kunit_suite copy_mc_suite = {
	.name = "x86_copy_mc",
	.init = areas_init,
	.exit = areas_exit,
	.test_cases = copy_mc_cases,
};

kunit_test_suite(copy_mc_suite);

MODULE_DESCRIPTION("KUnit test of copies that survive poison");
MODULE_LICENSE("GPL");
