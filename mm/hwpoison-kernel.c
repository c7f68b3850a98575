// SPDX-License-Identifier: GPL-2.0
/*
 * Bad pages that the kernel uses itself, for data of somebody else: pipe
 * buffers, packets. memory_failure() marks them and can do no more, so whoever
 * holds them has to see to it that nobody meets the error again.
 */
#include <linux/hwpoison_kernel.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/page-flags.h>
#include <linux/pagemap.h>

#include "internal.h"

/**
 * hwpoison_in_use() - may somebody still touch a bad page?
 * @pfn:	number of the page, which memory_failure() has dealt with
 *
 * That memory_failure() was content does not say so. It looks for programs, and
 * takes no notice of who else has the page: a request that is under way, the
 * buffers that io_uring was given, a pipe. What they do next with it may be in
 * an interrupt, or cannot fail, and a page fault there is an oops.
 *
 * Left are the reference of memory_failure() and those of a cache that keeps
 * the page in order to remember that it is lost.
 *
 * Context: any. Who looks the page up for a moment is taken for a user of it.
 * Return: true if there are more.
 */
bool hwpoison_in_use(unsigned long pfn)
{
	struct page *page = pfn_to_online_page(pfn);
	struct folio *folio;
	int known = 1;

	/* Persistent memory for example: up to its driver */
	if (!page)
		return false;

	folio = page_folio(page);
	if (folio_test_slab(folio) || PageReserved(page) || PageTable(page))
		return true;
	if (folio_mapping(folio)) {
		/* What is lost is not; shmem and hugetlbfs look at the mark. */
		if (folio_test_uptodate(folio) && !folio_test_swapbacked(folio) &&
		    !folio_test_hugetlb(folio))
			return true;
		known += folio_nr_pages(folio) + folio_test_private(folio);
	}

	return folio_ref_count(folio) > known;
}

/**
 * hwpoison_keep() - keep a bad page out of circulation when it is freed
 * @page:	the page, marked HWPoison; the caller holds a reference
 *
 * The allocator does so for a page of its own. One that is a part of something
 * larger keeps serving the rest of that, until all of it is freed: then the
 * allocator gets the good pages only.
 *
 * It stays in the direct map: another holder, such as the second pipe after
 * tee(2), may be in the middle of it.
 *
 * Objects of a slab are up to the slab, see mm/hwpoison-slab.c.
 *
 * Context: process context.
 */
void hwpoison_keep(struct page *page)
{
	struct folio *folio = page_folio(page);

	if (folio_test_large(folio) && !folio_test_slab(folio) &&
	    !folio_test_hugetlb(folio))
		folio_set_has_hwpoisoned(folio);
}
EXPORT_SYMBOL_GPL(hwpoison_keep);

/**
 * hwpoison_keep_unhandled() - hwpoison_keep() for what nobody has a reference to
 * @page:	a page that memory_failure() has marked, and can do nothing about
 *
 * A buffer of a driver, a ring that is mapped to a program: who uses it does not
 * know of the error, or not of pages.
 *
 * Context: process context, called by memory_failure().
 */
void hwpoison_keep_unhandled(struct page *page)
{
	struct folio *folio = page_folio(page);

	if (!folio_test_large(folio) || folio_test_slab(folio) ||
	    folio_test_hugetlb(folio) || PageReserved(page) || !folio_try_get(folio))
		return;
	/* Or it was freed, and is something else. */
	if (folio == page_folio(page))
		hwpoison_keep(page);
	folio_put(folio);
}

/**
 * hwpoison_keep_range() - hwpoison_keep() for what is bad in a range
 * @page:	first page of a compound page, or a single one
 * @offset:	where the range starts, from the start of @page
 * @len:	its length in bytes
 *
 * Context: process context.
 * Return: true if a page of the range is bad.
 */
bool hwpoison_keep_range(struct page *page, size_t offset, size_t len)
{
	size_t i, end = PAGE_ALIGN(offset + len) >> PAGE_SHIFT;
	bool bad = false;

	for (i = offset >> PAGE_SHIFT; i < end; i++) {
		if (PageHWPoison(nth_page(page, i))) {
			hwpoison_keep(nth_page(page, i));
			bad = true;
		}
	}

	return bad;
}
EXPORT_SYMBOL_GPL(hwpoison_keep_range);
