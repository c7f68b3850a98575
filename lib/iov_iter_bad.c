// SPDX-License-Identifier: GPL-2.0
/*
 * Iterators over kernel memory that has a memory error, see iov_iter_bad.h.
 */
#include <linux/export.h>
#include <linux/highmem.h>
#include <linux/hwpoison.h>
#include <linux/iov_iter.h>
#include <linux/iov_iter_bad.h>
#include <linux/mm.h>

bool iov_iter_met_bad __read_mostly;

static __always_inline
size_t to_step(void *to, size_t progress, size_t len, void *from, void *priv2)
{
	return hwpoison_copy(to, from + progress, len);
}

static __always_inline
size_t from_step(void *from, size_t progress, size_t len, void *to, void *priv2)
{
	size_t left = hwpoison_copy(to + progress, from, len);

	if (unlikely(left))
		WRITE_ONCE(iov_iter_met_bad, true);
	return left;
}

/*
 * Most copies are of one segment, or of a part of it, in one page. The others
 * pay for the loops, and for the state of an array on the stack.
 */
static __always_inline bool is_one_page(const struct iov_iter *i, size_t len)
{
	const struct bio_vec *v = i->bvec;
	size_t skip = i->iov_offset;

	/* At the end of an iterator there is no segment: not for a length of 0. */
	return iov_iter_is_bvec(i) && len - 1 < i->count &&
	       len <= v->bv_len - skip &&
	       len <= PAGE_SIZE - offset_in_page(v->bv_offset + skip);
}

static __always_inline
size_t copy_one_page(struct iov_iter *i, size_t len, void *priv, iov_step_f step)
{
	const struct bio_vec *v = i->bvec;
	size_t offset = v->bv_offset + i->iov_offset;
	char *kaddr = kmap_local_page(v->bv_page + offset / PAGE_SIZE);
	size_t copied = len - step(kaddr + offset_in_page(offset), 0, len, priv, NULL);

	kunmap_local(kaddr);
	i->count -= copied;
	i->iov_offset += copied;
	if (i->iov_offset == v->bv_len) {
		i->iov_offset = 0;
		i->bvec++;
		i->nr_segs--;
	}

	return copied;
}

static noinline_for_stack
size_t copy_to_other_iter(const void *from, size_t len, struct iov_iter *i)
{
	return iterate_and_advance_kernel(i, len, (void *)from, NULL, to_step);
}

static noinline_for_stack
size_t copy_from_other_iter(void *to, size_t len, struct iov_iter *i)
{
	return iterate_and_advance_kernel(i, len, to, NULL, from_step);
}

/**
 * copy_to_kernel_iter() - copy_to_iter() for kernel memory
 * @from:	source, a kernel address; it may be poisoned
 * @len:	bytes
 * @i:		destination, advanced by what was copied
 *
 * Context: any.
 * Return: bytes copied.
 */
size_t copy_to_kernel_iter(const void *from, size_t len, struct iov_iter *i)
{
	if (likely(is_one_page(i, len)))
		return copy_one_page(i, len, (void *)from, to_step);
	return copy_to_other_iter(from, len, i);
}

/**
 * copy_from_kernel_iter() - copy_from_iter() for kernel memory
 * @to:		destination, a kernel address
 * @len:	bytes
 * @i:		source, advanced by what was copied; it may be poisoned
 *
 * Context: any.
 * Return: bytes copied.
 */
size_t copy_from_kernel_iter(void *to, size_t len, struct iov_iter *i)
{
	if (likely(is_one_page(i, len)))
		return copy_one_page(i, len, to, from_step);
	return copy_from_other_iter(to, len, i);
}

static bool is_bad_page(void *addr)
{
	unsigned long pfn;

	if (!is_vmalloc_or_module_addr(addr))
		return virt_addr_valid(addr) && hwpoison_known_bad(virt_to_page(addr));

	pfn = vmalloc_to_pfn(addr);

	return pfn_valid(pfn) && hwpoison_known_bad(pfn_to_page(pfn));
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
 * iov_iter_probe_page() - can a page from an iterator be read?
 * @page:	the page
 * @offset:	first byte in it
 * @len:	bytes, within the page
 *
 * For those who take the page instead of a copy. When it cannot be read, and the
 * iterator was reverted, iov_iter_is_bad() says why.
 *
 * Context: any.
 * Return: false if it cannot. It is recorded then.
 */
bool iov_iter_probe_page(struct page *page, size_t offset, size_t len)
{
	void *addr;
	bool good;

	addr = kmap_local_page(page);
	good = !hwpoison_known_bad(page) && hwpoison_probe(addr + offset, len);
	kunmap_local(addr);
	if (unlikely(!good))
		WRITE_ONCE(iov_iter_met_bad, true);

	return good;
}
EXPORT_SYMBOL_GPL(iov_iter_probe_page);

/* iov_iter_bad_bytes(), once a copy has failed */
size_t iov_iter_count_bad(const struct iov_iter *i, size_t size)
{
	struct iov_iter good = *i;

	if (hwpoison_met_somewhere())
		return size;

	return size - iterate_and_advance_kernel(&good, size, NULL, NULL,
						 good_step);
}
