/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Folios of which some pages have a memory error, see mm/hwpoison-folio.c.
 */
#ifndef _LINUX_HWPOISON_FOLIO_H
#define _LINUX_HWPOISON_FOLIO_H

#include <linux/highmem.h>

#ifdef CONFIG_MEMORY_FAILURE
void hwpoison_zero_range(struct folio *folio, size_t start, size_t length);
bool hwpoison_free_around(struct page *page, unsigned int order);
#else
static inline void hwpoison_zero_range(struct folio *folio, size_t start,
				       size_t length)
{
	folio_zero_range(folio, start, length);
}

static inline bool hwpoison_free_around(struct page *page, unsigned int order)
{
	return false;
}
#endif

#endif /* _LINUX_HWPOISON_FOLIO_H */
