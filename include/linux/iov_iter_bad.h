/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Iterators over kernel memory that has a memory error.
 *
 * Whoever copies from an iterator expects a short copy from user memory only,
 * faults that in, and tries again. Kernel memory needs no faulting in, and the
 * loop would never end. So fault_in_iov_iter_readable() looks for bad pages.
 */
#ifndef _LINUX_IOV_ITER_BAD_H
#define _LINUX_IOV_ITER_BAD_H

#include <linux/uio.h>

/* Has a copy from kernel memory ever failed? Until then nobody has to look. */
extern bool iov_iter_met_bad;

size_t __must_check copy_to_kernel_iter(const void *from, size_t len, struct iov_iter *i);
size_t __must_check copy_from_kernel_iter(void *to, size_t len, struct iov_iter *i);
size_t iov_iter_count_bad(const struct iov_iter *i, size_t size);
bool __must_check iov_iter_probe_page(struct page *page, size_t offset, size_t len);

/**
 * iov_iter_may_be_bad() - is it up to these functions to copy?
 * @i:		an iterator
 *
 * Context: any.
 * Return: true for kernel memory, where memory errors are dealt with at all.
 */
static inline bool iov_iter_may_be_bad(const struct iov_iter *i)
{
	return IS_ENABLED(CONFIG_MEMORY_FAILURE) && !user_backed_iter(i);
}

/**
 * iov_iter_bad_bytes() - how much of an iterator cannot be copied?
 * @i:		iterator over kernel memory
 * @size:	bytes that the caller is about to copy
 *
 * A writer that got less than it asked for may have to take back what it got,
 * and copy that again. This lets it do so, and stops it at the bad page.
 *
 * The page is not settled here: who lent it may know how to replace it.
 *
 * Context: any.
 * Return: bytes from the first bad page on.
 */
static inline size_t iov_iter_bad_bytes(const struct iov_iter *i, size_t size)
{
	if (!IS_ENABLED(CONFIG_MEMORY_FAILURE))
		return 0;

	/* Only whoever met it has to know at once: a volatile load costs one more. */
	return unlikely(data_race(iov_iter_met_bad)) ? iov_iter_count_bad(i, size) : 0;
}

/**
 * iov_iter_is_bad() - is there a memory error in what is left of an iterator?
 * @i:	the iterator; what was copied is behind it
 *
 * Context: any.
 * Return: true if there is. User memory is never bad in this sense.
 */
static inline bool iov_iter_is_bad(const struct iov_iter *i)
{
	return !user_backed_iter(i) && iov_iter_bad_bytes(i, iov_iter_count(i));
}

#endif /* _LINUX_IOV_ITER_BAD_H */
