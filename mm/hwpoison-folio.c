// SPDX-License-Identifier: GPL-2.0
/*
 * Folios of which some pages have a memory error.
 */
#include <linux/hwpoison-folio.h>
#include <linux/minmax.h>
#include <linux/mm.h>

#include "internal.h"

/**
 * hwpoison_zero_range() - zero a range of a folio, but for its bad pages
 * @folio:	the folio
 * @start:	first byte to zero, from the start of @folio
 * @length:	number of bytes
 *
 * A bad page may be gone from the direct map, and there is nothing in it that
 * could be shown to anybody.
 *
 * Context: any that may use kmap_local.
 */
void hwpoison_zero_range(struct folio *folio, size_t start, size_t length)
{
	size_t n;

	if (likely(!folio_contain_hwpoisoned_page(folio))) {
		folio_zero_range(folio, start, length);
		return;
	}

	for (; length; start += n, length -= n) {
		n = min(length, PAGE_SIZE - offset_in_page(start));
		if (!PageHWPoison(folio_page(folio, start >> PAGE_SHIFT)))
			folio_zero_range(folio, start, n);
	}
}

/**
 * hwpoison_free_around() - free a large folio that has bad pages
 * @page:	its first page
 * @order:	its order
 *
 * The allocator keeps bad pages out only where they are freed one by one.
 *
 * Context: that of freeing a page; nobody has a reference any more.
 * Return: true. It is the condition of a return, and costs the caller no
 * register then.
 */
bool hwpoison_free_around(struct page *page, unsigned int order)
{
	unsigned long i;

	if (PageAnon(page))
		mod_mthp_stat(order, MTHP_STAT_NR_ANON, -1);
	page->mapping = NULL;
	page[1].flags &= ~PAGE_FLAGS_SECOND;
	ClearPageHead(page);
	for (i = 1; i < 1UL << order; i++) {
		page[i].mapping = NULL;
		clear_compound_head(page + i);
	}

	for (i = 0; i < 1UL << order; i++)
		free_unref_page(page + i, 0);

	return true;
}
