// SPDX-License-Identifier: GPL-2.0
/*
 * Objects of a slab that have a memory error.
 *
 * memory_failure() marks the page, and can do no more: other objects in it are
 * in use, and cannot be moved. Who met the error drops its object sooner or
 * later, and a moment later that would be somebody else's. So objects in a bad
 * page are not freed: a page of memory is lost, which it is anyway.
 *
 * What is free in the page when it goes bad is given out again, which is well
 * as long as the bad line was in use. Nobody else could have met it.
 */
#include <linux/hwpoison.h>
#include <linux/hwpoison_slab.h>
#include <linux/mm.h>
#include <linux/page-flags.h>

DEFINE_STATIC_KEY_FALSE(hwpoison_in_slab);

/**
 * hwpoison_guard_slab() - a page is bad and cannot be taken away
 * @page:	the page, marked HWPoison
 *
 * Context: process context, called by memory_failure().
 */
void hwpoison_guard_slab(struct page *page)
{
	if (folio_test_slab(page_folio(page)))
		static_branch_enable(&hwpoison_in_slab);
}

/* hwpoison_keep_object(), once a slab has a bad page */
bool hwpoison_object_is_bad(const void *object, size_t size)
{
	struct page *page = virt_to_page(object);
	size_t end = offset_in_page(object) + size;

	for (; end > PAGE_SIZE; end -= PAGE_SIZE, page++) {
		if (hwpoison_known_bad(page))
			return true;
	}

	return hwpoison_known_bad(page);
}

/**
 * hwpoison_object_error() - why did a copy from an object come up short?
 * @object:	what was copied, of an object of a slab
 * @size:	its length in bytes
 *
 * Context: process context, may sleep.
 * Return: -EIO for a memory error, else -EFAULT.
 */
int hwpoison_object_error(const void *object, size_t size)
{
	hwpoison_settle_pending();

	return hwpoison_keep_object(object, size) ? -EIO : -EFAULT;
}
