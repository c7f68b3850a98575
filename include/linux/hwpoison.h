/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Synchronous memory errors that the kernel met and survived.
 *
 * The exception handler records the page. Whoever was copying may claim the
 * record and settle it; else task_work or a worker does.
 */
#ifndef _LINUX_HWPOISON_H
#define _LINUX_HWPOISON_H

#include <linux/types.h>

struct folio;

#ifdef CONFIG_MEMORY_FAILURE

bool hwpoison_record(unsigned long pfn, unsigned long ip);
bool hwpoison_pending(void);
bool hwpoison_settle_pending(void);
bool hwpoison_claim(struct folio *folio, unsigned long *pfn);
int hwpoison_settle(unsigned long pfn);

#else /* !CONFIG_MEMORY_FAILURE */

static inline bool hwpoison_record(unsigned long pfn, unsigned long ip)
{
	return false;
}

static inline bool hwpoison_pending(void)
{
	return false;
}

static inline bool hwpoison_settle_pending(void)
{
	return true;
}

#endif /* CONFIG_MEMORY_FAILURE */
#endif /* _LINUX_HWPOISON_H */
