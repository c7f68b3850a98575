// SPDX-License-Identifier: GPL-2.0
/*
 * Futex operations on a poisoned word.
 *
 * They load it, or load and store it in one instruction, with page faults
 * disabled and a spinlock held, and if that fails fault the page in and start
 * over. With poison in the word that must end after the first time.
 */
#define _GNU_SOURCE
#include <linux/futex.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <time.h>

#include "../kselftest_harness.h"
#include "mce_consumed.h"

#define SEED	0x2005

#ifndef SYS_futex_waitv
#define SYS_futex_waitv		449
#endif
#define NR_futex_wait		455
#define NR_futex_requeue	456

#ifndef FUTEX2_SIZE_U32
#define FUTEX2_SIZE_U32		2
#endif
#ifndef FUTEX2_PRIVATE
#define FUTEX2_PRIVATE		128
#endif

/* @bad is the word with poison, @good another one with the same value. */
struct words {
	__u32 *bad;
	__u32 *good;
	int flag;	/* FUTEX_PRIVATE_FLAG or 0 */
};

#define VALUE	42

static long futex(__u32 *uaddr, int op, __u32 val, void *arg4, __u32 *uaddr2,
		  __u32 val3)
{
	return syscall(SYS_futex, uaddr, op, val, arg4, uaddr2, val3);
}

static long op_wait(struct words *w)
{
	struct timespec soon = { .tv_nsec = 100000000 };

	return futex(w->bad, FUTEX_WAIT | w->flag, VALUE, &soon, NULL, 0);
}

static long op_wait_bitset(struct words *w)
{
	return futex(w->bad, FUTEX_WAIT_BITSET | w->flag, VALUE + 1, NULL, NULL,
		     ~0U);
}

static long op_waitv(struct words *w)
{
	struct futex_waitv v[3] = {
		{ VALUE, (unsigned long)w->good, FUTEX_32 | w->flag },
		{ VALUE, (unsigned long)w->bad, FUTEX_32 | w->flag },
		{ VALUE, (unsigned long)w->good, FUTEX_32 | w->flag },
	};
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	ts.tv_sec++;
	return syscall(SYS_futex_waitv, v, 3, 0, &ts, CLOCK_MONOTONIC);
}

static long op_futex2_wait(struct words *w)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	ts.tv_sec++;
	return syscall(NR_futex_wait, w->bad, VALUE, ~0U,
		       FUTEX2_SIZE_U32 | w->flag, &ts, CLOCK_MONOTONIC);
}

static long op_futex2_requeue(struct words *w)
{
	struct futex_waitv v[2] = {
		{ VALUE, (unsigned long)w->bad, FUTEX_32 | w->flag },
		{ VALUE, (unsigned long)w->good, FUTEX_32 | w->flag },
	};

	return syscall(NR_futex_requeue, v, 0, 1, 1);
}

static long wake_op(struct words *w, int op)
{
	return futex(w->good, FUTEX_WAKE_OP | w->flag, 1, (void *)1, w->bad,
		     FUTEX_OP(op, 1, FUTEX_OP_CMP_EQ, 0));
}

static long op_wake_op_set(struct words *w)
{
	return wake_op(w, FUTEX_OP_SET);
}

static long op_wake_op_add(struct words *w)
{
	return wake_op(w, FUTEX_OP_ADD);
}

static long op_wake_op_or(struct words *w)
{
	return wake_op(w, FUTEX_OP_OR);
}

static long op_wake_op_andn(struct words *w)
{
	return wake_op(w, FUTEX_OP_ANDN);
}

static long op_wake_op_xor(struct words *w)
{
	return wake_op(w, FUTEX_OP_XOR);
}

static long op_cmp_requeue(struct words *w)
{
	return futex(w->bad, FUTEX_CMP_REQUEUE | w->flag, 1, (void *)1, w->good,
		     VALUE);
}

static long op_lock_pi(struct words *w)
{
	return futex(w->bad, FUTEX_LOCK_PI | w->flag, 0, NULL, NULL, 0);
}

static long op_lock_pi2(struct words *w)
{
	return futex(w->bad, 13 /* FUTEX_LOCK_PI2 */ | w->flag, 0, NULL, NULL, 0);
}

static long op_trylock_pi(struct words *w)
{
	return futex(w->bad, FUTEX_TRYLOCK_PI | w->flag, 0, NULL, NULL, 0);
}

static long op_unlock_pi(struct words *w)
{
	return futex(w->bad, FUTEX_UNLOCK_PI | w->flag, 0, NULL, NULL, 0);
}

static long op_cmp_requeue_pi_from(struct words *w)
{
	return futex(w->bad, FUTEX_CMP_REQUEUE_PI | w->flag, 1, (void *)1,
		     w->good, VALUE);
}

static long op_cmp_requeue_pi_to(struct words *w)
{
	return futex(w->good, FUTEX_CMP_REQUEUE_PI | w->flag, 1, (void *)1,
		     w->bad, VALUE);
}

static long op_wait_requeue_pi(struct words *w)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	ts.tv_sec++;
	return futex(w->bad, FUTEX_WAIT_REQUEUE_PI | w->flag, VALUE, &ts,
		     w->good, ~0U);
}

FIXTURE(futex)
{
	__u8 *buf;
	struct words words;
};

FIXTURE_VARIANT(futex)
{
	const char *what;
	long (*op)(struct words *w);
};

#define OP(name)	\
	FIXTURE_VARIANT_ADD(futex, name) { .what = #name, .op = op_##name }

OP(wait);
OP(wait_bitset);
OP(waitv);
OP(futex2_wait);
OP(futex2_requeue);
OP(wake_op_set);
OP(wake_op_add);
OP(wake_op_or);
OP(wake_op_andn);
OP(wake_op_xor);
OP(cmp_requeue);
OP(lock_pi);
OP(lock_pi2);
OP(trylock_pi);
OP(unlock_pi);
OP(cmp_requeue_pi_from);
OP(cmp_requeue_pi_to);
OP(wait_requeue_pi);

FIXTURE_SETUP(futex)
{
	ASSERT_EQ(0, mce_pin(0));
	self->buf = mce_anon(2, SEED);
	ASSERT_NE(NULL, self->buf);
	self->words.good = (__u32 *)self->buf;
	self->words.bad = (__u32 *)(self->buf + MCE_PAGE + 1024);
	*self->words.good = VALUE;
	*self->words.bad = VALUE;
}

FIXTURE_TEARDOWN(futex)
{
	mce_retire();
	munmap(self->buf, 2 * MCE_PAGE);
}

static void try(struct __test_metadata *const _metadata, struct words *words,
		const char *what, long (*op)(struct words *w))
{
	struct mce_watch w;
	__u64 phys;
	long ret;
	int err;

	ASSERT_EQ(0, mce_arm(words->bad, &phys));
	mce_watch_start(&w);
	ret = op(words);
	err = errno;
	mce_check_lost(_metadata, &w, words->bad, phys, what, ret, err);
	EXPECT_EQ(-1, ret);
	EXPECT_EQ(EFAULT, err);
}

TEST_F(futex, private)
{
	self->words.flag = FUTEX_PRIVATE_FLAG;
	try(_metadata, &self->words, variant->what, variant->op);
}

/* The key of a shared one is its page: that is looked up, not loaded. */
TEST_F(futex, shared)
{
	try(_metadata, &self->words, variant->what, variant->op);
}

/* In a clean page of a file there is nothing to be afraid of. */
TEST(wait_on_clean_file)
{
	struct mce_watch w;
	struct mce_file f;
	__u32 *word, val;
	int err;
	long ret;

	ASSERT_EQ(0, mce_pin(0));
	err = mce_file_open(&f, MCE_FS_EXT4, 1, 1, SEED);
	if (err == -ENOENT)
		SKIP(return, "no directory on ext4");
	ASSERT_EQ(0, err);
	word = mmap(NULL, MCE_PAGE, PROT_READ, MAP_SHARED, f.fd, 0);
	ASSERT_NE(MAP_FAILED, word);
	val = *word;
	ASSERT_EQ(0, mce_arm(word, &f.phys));
	mce_watch_start(&w);
	ret = futex(word, FUTEX_WAIT, val + 1, NULL, NULL, 0);
	err = errno;
	mce_check_healed(_metadata, &w, word, f.phys, "FUTEX_WAIT, clean file", ret,
			 err);
	EXPECT_EQ(-1, ret);
	EXPECT_EQ(EAGAIN, err);
	mce_file_close(&f);
	munmap(word, MCE_PAGE);
}

#include "mce_main.h"
