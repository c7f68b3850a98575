/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Rings of provided buffers that have a memory error.
 */
#ifndef _IO_URING_BAD_BUF_H
#define _IO_URING_BAD_BUF_H

#include <linux/io_uring_types.h>
#include <linux/uaccess.h>

#include "kbuf.h"

/**
 * io_buf_is_bad() - is an entry of a ring not fit to be read?
 * @bl:		the ring
 * @buf:	the entry
 *
 * The ring is the program's memory, so the page is taken away from it, and the
 * program hears of it as soon as it adds another buffer. The ring is of no use
 * from then on, and is not looked at again: the kernel has it mapped by itself.
 *
 * Context: the ring's lock is held.
 * Return: true if it cannot be read.
 */
static inline bool io_buf_is_bad(struct io_buffer_list *bl,
				 const struct io_uring_buf *buf)
{
	u32 len;

	if (unlikely(bl->flags & IOBL_BAD))
		return true;
	/* An entry does not cross a line. */
	__get_kernel_nofault(&len, &buf->len, u32, bad);

	return false;
bad:
	bl->flags |= IOBL_BAD;

	return true;
}

/**
 * io_buf_ring_is_bad() - can the next entry of a ring not be read?
 * @bl:		the ring
 *
 * Context: the ring's lock is held.
 * Return: true if it, or the ring's tail, cannot.
 */
static inline bool io_buf_ring_is_bad(struct io_buffer_list *bl)
{
	struct io_uring_buf_ring *br = bl->buf_ring;

	/* The tail is a part of the first entry. */
	return io_buf_is_bad(bl, br->bufs) ||
	       io_buf_is_bad(bl, &br->bufs[bl->head & bl->mask]);
}

#endif /* _IO_URING_BAD_BUF_H */
