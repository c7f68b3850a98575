/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What all cases of copy-in have in common: a buffer of known data, and what
 * has to be true once the kernel has met one bad line of it. To be included
 * after kselftest_harness.h.
 */
#ifndef SELFTESTS_MCE_CONSUMED_H
#define SELFTESTS_MCE_CONSUMED_H

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "mce_lib.h"

/* Every SIGBUS that comes outside of mce_guard() is counted here. */
static sig_atomic_t mce_signals;

static inline void mce_on_signal(int sig)
{
	(void)sig;
	__atomic_add_fetch(&mce_signals, 1, __ATOMIC_SEQ_CST);
}

/*
 * Anonymous base pages, filled by mce_fill() with position 0 at their start.
 * From now on SIGBUS is counted.
 */
static inline __u8 *mce_anon(size_t pages, __u64 seed)
{
	struct sigaction act = { .sa_handler = mce_on_signal };
	__u8 *buf;

	sigaction(SIGBUS, &act, NULL);
	buf = mmap(NULL, pages * MCE_PAGE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (buf == MAP_FAILED)
		return NULL;
	madvise(buf, pages * MCE_PAGE, MADV_NOHUGEPAGE);
	mce_fill(buf, pages * MCE_PAGE, seed, 0);
	return buf;
}

static inline void mce_tell(const struct mce_watch *w, const char *what,
			    long ret, int err)
{
	int signalled = __atomic_load_n(&mce_signals, __ATOMIC_SEQ_CST);

	if (ret < 0)
		mce_outcome("%s: -%s, %ld #MC%s", what, mce_errname(err),
			    w->mcs, signalled ? ", SIGBUS" : "");
	else
		mce_outcome("%s: returned %ld, %ld #MC%s", what, ret, w->mcs,
			    signalled ? ", SIGBUS" : "");
}

/* The program touches what is lost: SIGBUS, and no machine check any more. */
static inline void mce_touch_lost(struct __test_metadata *const _metadata,
				  const void *bad)
{
	struct mce_watch w;
	struct mce_sigbus sb;

	mce_watch_start(&w);
	EXPECT_FALSE(mce_load(bad, NULL, &sb));
	mce_watch_end(&w, 0);
	EXPECT_EQ(0, w.mcs);
	EXPECT_EQ(1, sb.count);
	EXPECT_EQ(BUS_MCEERR_AR, sb.code);
	EXPECT_EQ(12, sb.lsb);
	EXPECT_TRUE(mce_sigbus_covers(&sb, bad));
}

/*
 * A call is back that met one bad line of memory that nothing can bring back.
 * @w was started before it.
 */
static inline void mce_check_lost(struct __test_metadata *const _metadata,
				  struct mce_watch *w, const void *bad,
				  __u64 phys, const char *what, long ret,
				  int err)
{
	mce_watch_end(w, 1);
	mce_tell(w, what, ret, err);
	EXPECT_EQ(mce_expected("MCE_EXPECT_MCS", 1), w->mcs);
	EXPECT_EQ(1, w->offlined);
	EXPECT_STREQ("", w->log);
	EXPECT_EQ(0, __atomic_load_n(&mce_signals, __ATOMIC_SEQ_CST));
	EXPECT_TRUE(mce_page_offlined(phys));

	mce_touch_lost(_metadata, bad);
}

/* The same for memory that could be read again: nobody noticed anything. */
static inline void mce_check_healed(struct __test_metadata *const _metadata,
				    struct mce_watch *w, const void *bad,
				    __u64 phys, const char *what, long ret,
				    int err)
{
	struct mce_sigbus sb;

	mce_watch_end(w, 1);
	mce_tell(w, what, ret, err);
	EXPECT_EQ(mce_expected("MCE_EXPECT_MCS", 1), w->mcs);
	EXPECT_EQ(1, w->offlined);
	EXPECT_STREQ("", w->log);
	EXPECT_EQ(0, __atomic_load_n(&mce_signals, __ATOMIC_SEQ_CST));
	EXPECT_TRUE(mce_page_offlined(phys));
	EXPECT_TRUE(mce_load(bad, NULL, &sb));
}

#endif /* SELFTESTS_MCE_CONSUMED_H */
