/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Iterators over kernel memory that met a memory error.
 *
 * Whoever copies from an iterator expects a short copy from user memory only,
 * faults that in, and tries again. Kernel memory needs no faulting in, and the
 * loop would never end. An iterator whose source turned out bad says so, and
 * fault_in_iov_iter_readable() passes it on.
 */
#ifndef _LINUX_IOV_ITER_BAD_H
#define _LINUX_IOV_ITER_BAD_H

#include <linux/uio.h>

/**
 * iov_iter_is_bad() - did a copy from kernel memory meet a memory error?
 * @i:	the iterator
 *
 * Stays true once it is; the iterator is at the first byte that was not copied.
 *
 * Context: any.
 * Return: true if it did. User memory is never bad in this sense.
 */
static inline bool iov_iter_is_bad(const struct iov_iter *i)
{
	/* Only user memory is pinned, so nofault is free to mean this here. */
	return !user_backed_iter(i) && i->nofault;
}

#ifdef CONFIG_MEMORY_FAILURE
size_t iov_iter_bad_bytes(const struct iov_iter *i, size_t size);
#else
static inline size_t iov_iter_bad_bytes(const struct iov_iter *i, size_t size)
{
	return size;
}
#endif

/* For the copy routines of lib/iov_iter.c. */
static inline void iov_iter_set_bad(struct iov_iter *i)
{
	i->nofault = true;
}

#endif /* _LINUX_IOV_ITER_BAD_H */
