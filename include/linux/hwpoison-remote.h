/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Reading pages that belong to somebody else, and that may have memory errors.
 *
 * An architecture that cannot recover copies as it always did.
 */
#ifndef _LINUX_HWPOISON_REMOTE_H
#define _LINUX_HWPOISON_REMOTE_H

#include <linux/cacheflush.h>
#include <linux/hwpoison.h>
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/mmap_lock.h>

#ifndef CONFIG_MEMORY_FAILURE
static inline size_t hwpoison_copy_fromio(void *to,
					  const void __iomem *from,
					  size_t len)
{
	memcpy_fromio(to, from, len);
	return 0;
}
#endif /* !CONFIG_MEMORY_FAILURE */

/**
 * hwpoison_copy_remote() - copy from a page that another process has mapped
 * @vma:	where it is mapped
 * @page:	the page
 * @addr:	user address of the first byte
 * @to:		destination
 * @from:	the same byte in the kernel's mapping of @page
 * @len:	bytes to copy, not beyond the page
 *
 * Context: any.
 * Return: bytes not copied. More than 0 means that there is a memory error, and
 * the page is recorded.
 */
static inline size_t hwpoison_copy_remote(struct vm_area_struct *vma,
					  struct page *page, unsigned long addr,
					  void *to, const void *from, size_t len)
{
	if (IS_ENABLED(CONFIG_ARCH_HAS_COPY_MC))
		return hwpoison_copy(to, from, len);

	copy_from_user_page(vma, page, addr, to, from, len);
	return 0;
}

/**
 * hwpoison_settle_remote() - a copy came up short: take the page away
 * @mm:		whose memory it was
 *
 * To be called when no reference to the page is left. What the caller finds
 * when it looks the page up again is another page with the same data, read from
 * its file, or an error if the data is lost. memory_failure() may not run under
 * the mmap_lock, so everything that was looked up before is stale.
 *
 * Context: process context, may sleep. Drops the mmap_lock, held for reading,
 * and takes it again.
 * Return: false if to look again would not help; the mmap_lock is not held
 * then.
 */
static inline bool hwpoison_settle_remote(struct mm_struct *mm)
{
	mmap_read_unlock(mm);

	/* Without a record nothing would end the retries. */
	return hwpoison_pending() && hwpoison_settle_pending() &&
	       !mmap_read_lock_killable(mm);
}

#endif /* _LINUX_HWPOISON_REMOTE_H */
