/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Reading memory that may be bad, for code that cannot stop.
 *
 * As kmap_local_page(), but what is mapped may go bad at any time: what cannot be
 * read is zeroes then, and unmapping says so. See arch/x86/mm/hwpoison_alias.c.
 */
#ifndef _LINUX_HWPOISON_ALIAS_H
#define _LINUX_HWPOISON_ALIAS_H

#include <linux/atomic.h>
#include <linux/highmem.h>
#include <linux/mm.h>

#if defined(CONFIG_MEMORY_FAILURE) && defined(CONFIG_X86_64)

extern atomic_t hwpoison_nr_replaced;
void * __must_check hwpoison_map(struct page *page);
void * __must_check hwpoison_map_object(const void *object, size_t size);
bool hwpoison_was_replaced(const void *addr, size_t size);

/**
 * hwpoison_unmap() - the end of hwpoison_map()
 * @addr:	what it returned, or any address in the same page
 *
 * Context: any.
 * Return: false if not all that could be read there was what is in the page.
 */
static inline bool __must_check hwpoison_unmap(const void *addr)
{
	return likely(!atomic_read(&hwpoison_nr_replaced)) ||
	       !hwpoison_was_replaced(addr, 1);
}

/**
 * hwpoison_unmap_object() - the end of hwpoison_map_object()
 * @addr:	what it returned
 * @size:	bytes of the object
 *
 * Context: any.
 * Return: false if not all that could be read there was what is in the object.
 */
static inline bool __must_check hwpoison_unmap_object(const void *addr, size_t size)
{
	return likely(!atomic_read(&hwpoison_nr_replaced)) ||
	       !hwpoison_was_replaced(addr, size);
}

#else

static inline void * __must_check hwpoison_map(struct page *page)
{
	return kmap_local_page(page);
}

static inline bool __must_check hwpoison_unmap(const void *addr)
{
	kunmap_local(addr);
	return true;
}

static inline void * __must_check hwpoison_map_object(const void *object, size_t size)
{
	return (void *)object;
}

static inline bool __must_check hwpoison_unmap_object(const void *addr, size_t size)
{
	return true;
}

#endif

#endif /* _LINUX_HWPOISON_ALIAS_H */
