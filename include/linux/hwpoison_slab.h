/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Objects of a slab that have a memory error.
 */
#ifndef _LINUX_HWPOISON_SLAB_H
#define _LINUX_HWPOISON_SLAB_H

#include <linux/errno.h>
#include <linux/jump_label.h>
#include <linux/types.h>

struct page;

#ifdef CONFIG_MEMORY_FAILURE

/* Set once a page of a slab went bad since boot */
DECLARE_STATIC_KEY_FALSE(hwpoison_in_slab);

void hwpoison_guard_slab(struct page *page);
bool hwpoison_object_is_bad(const void *object, size_t size);
int __must_check hwpoison_object_error(const void *object, size_t size);

/**
 * hwpoison_keep_object() - must an object not be freed?
 * @object:	an object of a slab
 * @size:	its length in bytes
 *
 * A slab gives out what was freed last.
 *
 * Context: any that may free it.
 * Return: true if its memory is bad. It is leaked then.
 */
static __always_inline bool hwpoison_keep_object(const void *object, size_t size)
{
	return static_branch_unlikely(&hwpoison_in_slab) &&
	       hwpoison_object_is_bad(object, size);
}

#else /* !CONFIG_MEMORY_FAILURE */

static inline bool hwpoison_keep_object(const void *object, size_t size)
{
	return false;
}

static inline int __must_check hwpoison_object_error(const void *object, size_t size)
{
	return -EFAULT;
}

#endif /* CONFIG_MEMORY_FAILURE */
#endif /* _LINUX_HWPOISON_SLAB_H */
