/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A perf user page that has a memory error.
 *
 * It is mapped to the program, and the kernel loads from it, in an NMI at times:
 * how far the program has read, where it wants the AUX area, and the sequence
 * count and the capabilities in the first line, which the kernel itself has put
 * there. There is nobody to tell, so samples are counted as lost, and a first
 * line that cannot be read is not brought up to date any more.
 */
#ifndef _PERF_BAD_PAGE_H
#define _PERF_BAD_PAGE_H

#include <linux/build_bug.h>
#include <linux/hwpoison.h>
#include <linux/perf_event.h>
#include <linux/uaccess.h>

#include "internal.h"

/**
 * perf_load_user_page() - load a word of the user page
 * @rb:		the buffer
 * @word:	the word
 * @val:	its value, if it can be read
 *
 * Context: any, NMI included.
 * Return: false if it cannot. Then no sample goes into the buffer until the
 * program says so with PERF_EVENT_IOC_PAUSE_OUTPUT.
 */
static __always_inline bool perf_load_user_page(struct perf_buffer *rb, const __u64 *word,
						unsigned long *val)
{
	__u64 all;

	__get_kernel_nofault(&all, word, __u64, bad);
	*val = all;

	return true;
bad:
	WRITE_ONCE(rb->paused, 1);

	return false;
}

/**
 * perf_user_page_is_bad() - is the first line of the user page not fit to be read?
 * @rb:		the buffer
 *
 * That line has all that the kernel changes in place: the sequence count, and
 * bits among the capabilities.
 *
 * Context: any, NMI included.
 * Return: true if so, and from then on.
 */
static inline bool perf_user_page_is_bad(struct perf_buffer *rb)
{
	__u32 count;

	BUILD_BUG_ON(offsetofend(struct perf_event_mmap_page, capabilities) > HWPOISON_LINE);

	if (READ_ONCE(rb->user_page_bad))
		return true;
	__get_kernel_nofault(&count, &rb->user_page->lock, __u32, bad);

	return false;
bad:
	WRITE_ONCE(rb->user_page_bad, true);

	return true;
}

#endif /* _PERF_BAD_PAGE_H */
