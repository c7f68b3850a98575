/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Heads, tails and flags of a ring that have a memory error.
 *
 * They are in memory that the program has mapped, or has lent. Without them
 * nobody knows what was submitted, or where there is room for an answer, and
 * there is no request to fail. So it is the ring that ends: from then on the
 * kernel does not look at these words, submits nothing, keeps what completes to
 * itself, and io_uring_enter(2) says -EFAULT.
 */
#ifndef _IO_URING_BAD_RING_H
#define _IO_URING_BAD_RING_H

#include <linux/atomic.h>
#include <linux/bitops.h>
#include <linux/io_uring_types.h>
#include <linux/uaccess.h>

/* In ctx->check_cq, beside IO_CHECK_CQ_* */
#define IO_CHECK_RING_LOST_BIT	8

/**
 * io_ring_lost() - has a ring ended for a memory error?
 * @ctx:	the ring
 *
 * Context: any.
 * Return: true if so.
 */
static inline bool io_ring_lost(const struct io_ring_ctx *ctx)
{
	return unlikely(READ_ONCE(ctx->check_cq) & BIT(IO_CHECK_RING_LOST_BIT));
}

/**
 * io_ring_load() - load a word that is shared with the program
 * @ctx:	the ring
 * @word:	the word
 * @val:	its value, if it can be read
 *
 * Context: any, interrupts included.
 * Return: false if it cannot; that is the end of the ring.
 */
static inline bool io_ring_load(struct io_ring_ctx *ctx, const void *word,
				u32 *val)
{
	if (io_ring_lost(ctx))
		return false;
	__get_kernel_nofault(val, word, u32, bad);

	return true;
bad:
	set_bit(IO_CHECK_RING_LOST_BIT, &ctx->check_cq);

	return false;
}

/**
 * io_ring_count() - count something that the program is told of
 * @ctx:	the ring
 * @counter:	the counter
 *
 * Context: any, with whatever keeps others from the counter.
 */
static inline void io_ring_count(struct io_ring_ctx *ctx, u32 *counter)
{
	u32 val;

	if (io_ring_load(ctx, counter, &val))
		WRITE_ONCE(*counter, val + 1);
}

/**
 * io_sq_flags_or() - set flags that the program looks at
 * @ctx:	the ring
 * @flags:	IORING_SQ_*
 *
 * A locked instruction loads as well, hence the look before.
 *
 * Context: any.
 */
static inline void io_sq_flags_or(struct io_ring_ctx *ctx, int flags)
{
	u32 val;

	if (io_ring_load(ctx, &ctx->rings->sq_flags, &val))
		atomic_or(flags, &ctx->rings->sq_flags);
}

/**
 * io_sq_flags_andnot() - clear flags that the program looks at
 * @ctx:	the ring
 * @flags:	IORING_SQ_*
 *
 * Context: any.
 */
static inline void io_sq_flags_andnot(struct io_ring_ctx *ctx, int flags)
{
	u32 val;

	if (io_ring_load(ctx, &ctx->rings->sq_flags, &val))
		atomic_andnot(flags, &ctx->rings->sq_flags);
}

#endif /* _IO_URING_BAD_RING_H */
