/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Submission queue entries with a memory error.
 */
#ifndef _IO_URING_BAD_SQE_H
#define _IO_URING_BAD_SQE_H

#include <linux/errno.h>
#include <linux/io_uring_types.h>
#include <linux/uaccess.h>

/*
 * What is known of such a request: that it fails. It may have been linked to the
 * next one, which then must not run: the data, and the record that says that it
 * is there. One that was not linked can be submitted again.
 */
static const struct io_uring_sqe io_bad_sqe = {
	.opcode		= IORING_OP_NOP,
	.flags		= IOSQE_IO_LINK,
	.nop_flags	= IORING_NOP_INJECT_RESULT,
	.len		= (__u32)-EFAULT,
};

/**
 * io_sqe_or_bad() - is an entry fit to be read?
 * @sqe:	the entry
 * @ctx:	its ring
 *
 * An entry is one line of memory, or two, and the unit in which memory goes bad
 * is no smaller. So a load from each tells, in advance of the many that follow.
 *
 * Context: submission.
 * Return: @sqe, or another one that completes with -EFAULT, and with user_data 0
 * because nobody knows what it was. The next one completes with -ECANCELED.
 */
static inline const struct io_uring_sqe *
io_sqe_or_bad(const struct io_ring_ctx *ctx, const struct io_uring_sqe *sqe)
{
	u8 first;

	__get_kernel_nofault(&first, &sqe->opcode, u8, bad);
	if (ctx->flags & IORING_SETUP_SQE128)
		__get_kernel_nofault(&first, &(sqe + 1)->opcode, u8, bad);

	return sqe;
bad:
	return &io_bad_sqe;
}

#endif /* _IO_URING_BAD_SQE_H */
