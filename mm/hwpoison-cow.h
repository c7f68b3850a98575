/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _MM_HWPOISON_COW_H
#define _MM_HWPOISON_COW_H

#include <linux/mm_types.h>

#ifdef CONFIG_MEMORY_FAILURE

vm_fault_t hwpoison_cow_failed(struct page *page);

#else /* !CONFIG_MEMORY_FAILURE */

static inline vm_fault_t hwpoison_cow_failed(struct page *page)
{
	return VM_FAULT_HWPOISON;
}

#endif /* CONFIG_MEMORY_FAILURE */
#endif /* _MM_HWPOISON_COW_H */
