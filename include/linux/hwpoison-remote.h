/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Reading pages that belong to somebody else, and that may have memory errors.
 *
 * An architecture that cannot recover copies as it always did.
 */
#ifndef _LINUX_HWPOISON_REMOTE_H
#define _LINUX_HWPOISON_REMOTE_H

#include <linux/cacheflush.h>
#include <linux/highmem.h>
#include <linux/hwpoison.h>
#include <linux/mm.h>
#include <linux/mmap_lock.h>

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
 * hwpoison_copy_highpage() - copy_highpage() that survives a memory error
 * @to:		destination
 * @from:	source
 *
 * Context: any that may use kmap_local.
 * Return: false if there is a memory error in @from; it is recorded then.
 */
static inline bool hwpoison_copy_highpage(struct page *to, struct page *from)
{
	void *vto, *vfrom;
	size_t left;

	if (!IS_ENABLED(CONFIG_ARCH_HAS_COPY_MC)) {
		copy_highpage(to, from);
		return true;
	}

	vfrom = kmap_local_page(from);
	vto = kmap_local_page(to);
	left = hwpoison_copy(vto, vfrom, PAGE_SIZE);
	kunmap_local(vto);
	kunmap_local(vfrom);

	return !left;
}

/**
 * hwpoison_page_readable() - can all of a page be loaded?
 * @page:	the page
 *
 * For what compares or hashes a page with code that cannot recover.
 *
 * Context: any that may use kmap_local.
 * Return: false if there is a memory error; it is recorded then.
 */
static inline bool hwpoison_page_readable(struct page *page)
{
	void *from = kmap_local_page(page);
	bool ok = hwpoison_probe(from, PAGE_SIZE);

	kunmap_local(from);

	return ok;
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
