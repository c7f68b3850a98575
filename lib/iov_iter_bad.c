// SPDX-License-Identifier: GPL-2.0
/*
 * Iterators over kernel memory that met a memory error, see iov_iter_bad.h.
 */
#include <linux/hwpoison.h>
#include <linux/iov_iter.h>
#include <linux/iov_iter_bad.h>
#include <linux/mm.h>

static bool is_bad_page(void *addr)
{
	struct page *page = is_vmalloc_addr(addr) ? vmalloc_to_page(addr) :
						    virt_to_page(addr);

	return hwpoison_known_bad(page);
}

/* "Processes" the bytes up to the first bad page. */
static __always_inline
size_t good_step(void *base, size_t progress, size_t len, void *priv, void *priv2)
{
	size_t done = 0;

	while (done < len && !is_bad_page(base + done))
		done += min(len - done, PAGE_SIZE - offset_in_page(base + done));

	return len - done;
}

/**
 * iov_iter_bad_bytes() - how much of an iterator cannot be copied?
 * @i:		iterator over kernel memory for which iov_iter_is_bad()
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
size_t iov_iter_bad_bytes(const struct iov_iter *i, size_t size)
{
	struct iov_iter good = *i;

	return size - iterate_and_advance_kernel(&good, size, NULL, NULL,
						 good_step);
}
