/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Bad pages that the kernel uses itself, see mm/hwpoison-kernel.c.
 */
#ifndef _LINUX_HWPOISON_KERNEL_H
#define _LINUX_HWPOISON_KERNEL_H

#include <linux/types.h>

struct page;

#ifdef CONFIG_MEMORY_FAILURE

bool hwpoison_in_use(unsigned long pfn);
void hwpoison_keep(struct page *page);
void hwpoison_keep_unhandled(struct page *page);
bool hwpoison_keep_range(struct page *page, size_t offset, size_t len);

#else /* !CONFIG_MEMORY_FAILURE */

static inline bool hwpoison_in_use(unsigned long pfn)
{
	return false;
}

static inline void hwpoison_keep(struct page *page)
{
}

static inline bool hwpoison_keep_range(struct page *page, size_t offset,
				       size_t len)
{
	return false;
}

#endif /* CONFIG_MEMORY_FAILURE */
#endif /* _LINUX_HWPOISON_KERNEL_H */
