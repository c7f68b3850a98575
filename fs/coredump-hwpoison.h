/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Core dumps of memory that has gone bad.
 */
#ifndef _FS_COREDUMP_HWPOISON_H
#define _FS_COREDUMP_HWPOISON_H

#include <linux/coredump.h>
#include <linux/highmem.h>
#include <linux/hwpoison.h>
#include <linux/mm.h>
#include <linux/uaccess.h>

/**
 * dump_page_again() - a page could not be copied to the dump
 * @addr:	user address of the page
 * @pfn:	the page; no reference to it is held
 * @copy:	where to copy it to
 *
 * Takes the bad page out of service at once: later there is nobody who knows
 * of it, and it would go back to the allocator with the rest of the memory. A
 * page of a file that was clean is then read again.
 *
 * Context: process context, of the task that is dumped; may sleep.
 * Return: true if @copy has the data, false if the dump gets a hole.
 */
static inline bool dump_page_again(unsigned long addr, unsigned long pfn,
				   struct page *copy)
{
	size_t left = PAGE_SIZE;
#if defined(copy_mc_to_kernel) && defined(CONFIG_MEMORY_FAILURE)
	struct page *page;
	void *from;

	hwpoison_settle(pfn);

	page = get_dump_page(addr);
	if (page) {
		from = kmap_local_page(page);
		left = copy_mc_to_kernel(page_address(copy), from, PAGE_SIZE);
		kunmap_local(from);
		put_page(page);
	}
#endif
	if (left)
		coredump_report_failure("memory error at 0x%lx, left out", addr);

	return !left;
}

#endif /* _FS_COREDUMP_HWPOISON_H */
