// SPDX-License-Identifier: GPL-2.0
/* Copies, loads and probes: exact to the byte, with each routine. */
#include <errno.h>

#include "internal.h"
#include "test.h"

#define MAX	(3 * PAGE)

static const char *const routines[] = { "sse2", "avx2", "avx512", "erms", NULL };

/* Lengths around each step that a routine takes. */
static const size_t lengths[] = {
	0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 23, 31, 32, 33, 47, 48, 63, 64, 65, 95,
	96, 97, 127, 128, 129, 160, 191, 192, 255, 256, 257, 383, 511, 512, 1000, 2047,
	2048, 2049, 4095, 4096, 4097, 5000,
};

#define NLENGTHS	ARRAY_SIZE(lengths)

static void each_routine(void (*fn)(void))
{
	unsigned int i, n = 0;

	EQ(0, mc_init(0));
	for (i = 0; i < ARRAY_SIZE(routines); i++) {
		if (!mc_copy_choose(routines[i]))
			continue;
		n++;
		fn();
	}
	CHECK(n >= 3);
	EQ(0, mc_exit());
}

/* What was copied is right, and nothing beside it was written. */
static void check_copy(const unsigned char *buf, size_t at, const unsigned char *src, size_t good,
		       size_t size)
{
	size_t i;

	for (i = 0; i < size; i++) {
		if (i >= at && i < at + good)
			EQ(src[i - at], buf[i]);
		else
			EQ(0xee, buf[i]);
	}
}

static void good_copies(void)
{
	static unsigned char src[MAX], buf[MAX];
	size_t s, d, i;

	for (i = 0; i < MAX; i++)
		src[i] = pattern(i);
	for (i = 0; i < NLENGTHS; i++) {
		for (s = 0; s < 66; s += s < 34 ? 1 : 15) {
			for (d = 0; d < 64; d += d < 4 ? 1 : 20) {
				memset(buf, 0xee, lengths[i] + 256);
				EQ(0, mc_memcpy(buf + 64 + d, src + s, lengths[i]));
				check_copy(buf, 64 + d, src + s, lengths[i], lengths[i] + 256);
			}
		}
	}
}

TEST(copy_is_memcpy)
{
	each_routine(good_copies);
}

/* The source ends in the middle of a copy. */
static void short_sources(void)
{
	static unsigned char buf[MAX];
	unsigned char *src = truncated(4, 2, NULL), *end = src + 2 * PAGE;
	struct mc_fault f;
	size_t i, d, good;

	for (i = 0; i < NLENGTHS; i++) {
		for (good = 0; good <= 2 * PAGE && good <= lengths[i]; good += good < 300 ? 1 : 37) {
			d = good % 67;
			memset(buf, 0xee, lengths[i] + 256);
			EQ(lengths[i] - good, mc_memcpy(buf + 64 + d, end - good, lengths[i]));
			check_copy(buf, 64 + d, end - good, good, lengths[i] + 256);
			if (good == lengths[i])
				continue;
			EQ(0, mc_last(&f));
			EQ(MC_TRUNCATED, f.kind);
			EQ(BUS_ADRERR, f.code);
			EQ((uintptr_t)end, (uintptr_t)f.start);
			EQ(PAGE, f.len);
			CHECK((unsigned char *)f.addr >= end &&
			      (unsigned char *)f.addr < end + PAGE);
		}
	}
	munmap(src, 4 * PAGE);
}

TEST(copy_from_truncated)
{
	each_routine(short_sources);
}

/* The destination does. */
static void short_destinations(void)
{
	static unsigned char src[MAX];
	unsigned char *dst, *end;
	size_t i, s, good;

	for (i = 0; i < MAX; i++)
		src[i] = pattern(i);
	dst = truncated(4, 2, NULL);
	end = dst + 2 * PAGE;
	for (i = 0; i < NLENGTHS; i++) {
		for (good = 0; good <= 2 * PAGE - 64 && good <= lengths[i];
		     good += good < 300 ? 1 : 37) {
			s = good % 67;
			memset(end - good - 64, 0xee, good + 64);
			EQ(lengths[i] - good, mc_memcpy(end - good, src + s, lengths[i]));
			check_copy(end - good - 64, 64, src + s, good, good + 64);
		}
	}
	munmap(dst, 4 * PAGE);
}

TEST(copy_to_truncated)
{
	each_routine(short_destinations);
}

/* Both do; what is said to be copied is. */
static void short_both(void)
{
	unsigned char *src = truncated(4, 2, NULL), *dst = truncated(4, 2, NULL);
	unsigned char *se = src + 2 * PAGE, *de = dst + 2 * PAGE;
	size_t s, d, left, least;

	for (s = 0; s < 700; s += 7) {
		for (d = 0; d < 700; d += 5) {
			memset(de - d - 64, 0xee, d + 64);
			least = s < d ? s : d;
			left = mc_memcpy(de - d, se - s, 1024);
			CHECK(left >= 1024 - least && left <= 1024);
			EQ(0, memcmp(de - d, se - s, 1024 - left));
			/* Exact, but where both are lost within a few vectors. */
			CHECK(left - (1024 - least) <= 320);
		}
	}
	munmap(src, 4 * PAGE);
	munmap(dst, 4 * PAGE);
}

TEST(copy_between_truncated)
{
	each_routine(short_both);
}

TEST(probe)
{
	unsigned char *map = truncated(4, 2, NULL), *end = map + 2 * PAGE;
	size_t i, n;

	EQ(0, mc_init(0));
	EQ(0, mc_probe(map, 0));
	EQ(0, mc_probe(end, 0));
	for (i = 0; i <= 2 * PAGE; i += i < 200 ? 1 : 61) {
		EQ(0, mc_probe(end - i, i));
		for (n = 1; n < PAGE; n += 99)
			EQ(n, mc_probe(end - i, i + n));
	}
	/* A length that leads beyond the end of memory */
	for (i = 1; i < 300; i++)
		EQ(-(size_t)i - 3, mc_probe(end - 3, -(size_t)i));
	EQ(-(size_t)(end - 3) - 3, mc_probe(end - 3, -(size_t)(end - 3)));
}

/* A load is all or nothing, also if only its last byte is not there. */
#define CHECK_LOADS(bits)						\
do {									\
	uint##bits##_t val, want;					\
	size_t i_;							\
									\
	for (i_ = 0; i_ < 80; i_++) {					\
		val = 0x5a;						\
		if (i_ < sizeof(val)) {					\
			EQ(MC_TRUNCATED, mc_load##bits(end - i_, &val));	\
			EQ(0x5a, val);					\
			EQ(0, mc_last(&f));				\
			EQ((uintptr_t)end, (uintptr_t)f.start);		\
		} else {						\
			memcpy(&want, end - i_, sizeof(want));		\
			EQ(0, mc_load##bits(end - i_, &val));		\
			EQ(want, val);					\
		}							\
	}								\
} while (0)

TEST(loads)
{
	unsigned char *map = truncated(4, 2, NULL), *end = map + 2 * PAGE;
	struct mc_fault f;

	EQ(-ENOENT, mc_last(&f));
	EQ(0, mc_init(0));
	CHECK_LOADS(8);
	CHECK_LOADS(16);
	CHECK_LOADS(32);
	CHECK_LOADS(64);
}

/* Without mc_init(), nothing is caught. */
TEST_ENDS_BY(SIGBUS, copy_without_init)
{
	unsigned char buf[64];

	mc_memcpy(buf, truncated(2, 1, NULL) + PAGE, sizeof(buf));
}
