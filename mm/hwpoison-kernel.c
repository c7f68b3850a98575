// SPDX-License-Identifier: GPL-2.0
/*
 * Bad pages that the kernel uses itself, for data of somebody else: pipe
 * buffers, packets. memory_failure() marks them and can do no more, so whoever
 * holds them has to see to it that nobody meets the error again.
 */
#include <linux/hwpoison_kernel.h>
#include <linux/mm.h>
#include <linux/page-flags.h>
#include <linux/set_memory.h>

#include "internal.h"

/**
 * hwpoison_keep() - keep a bad page out of circulation when it is freed
 * @page:	the page, marked HWPoison; the caller holds a reference
 *
 * A page of its own leaves the direct map as well, so that another holder, such
 * as the second pipe after tee(2), gets an error instead of a machine check.
 * A page that is a part of something larger keeps serving the rest of that,
 * until all of it is freed: then the allocator gets the good pages only.
 *
 * Objects of a slab are up to the slab, see mm/hwpoison-slab.c.
 *
 * Context: process context.
 */
void hwpoison_keep(struct page *page)
{
	struct folio *folio = page_folio(page);

	if (folio_test_slab(folio) || folio_test_hugetlb(folio))
		return;
	if (folio_test_large(folio))
		folio_set_has_hwpoisoned(folio);
	else
		set_mce_nospec(page_to_pfn(page));
}
EXPORT_SYMBOL_GPL(hwpoison_keep);

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
