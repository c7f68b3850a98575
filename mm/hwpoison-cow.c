// SPDX-License-Identifier: GPL-2.0
/*
 * A copy on write that met a memory error in the page to be copied.
 */
#include <linux/hwpoison.h>
#include <linux/instruction_pointer.h>
#include <linux/mm.h>

#include "hwpoison-cow.h"

/**
 * hwpoison_cow_failed() - settle the page that could not be copied
 * @page:	the page; the caller has dropped its reference, NULL if there is no
 *		struct page, or it was known to be bad before
 *
 * If the page can be read again, the next fault does so. If it is lost, the
 * next fault says that, with the address.
 *
 * Context: page fault; may sleep. mmap_lock or the VMA's lock may be held, the
 * page may not be locked.
 * Return: VM_FAULT_NOPAGE to start over, VM_FAULT_HWPOISON where the page could
 * not be taken away and would be met again.
 */
vm_fault_t hwpoison_cow_failed(struct page *page)
{
	if (!page)
		return VM_FAULT_HWPOISON;

	/* It stays: who asks why the program got nowhere learns of it. */
	if (!hwpoison_record(PFN_PHYS(page_to_pfn(page)), _THIS_IP_) ||
	    !hwpoison_settle_pending())
		return VM_FAULT_HWPOISON;

	if (!PageHWPoison(page) || folio_mapped(page_folio(page)))
		return VM_FAULT_HWPOISON;

	return VM_FAULT_NOPAGE;
}
