/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Reading on when a page of the page cache has a memory error, see
 * filemap-heal.c.
 */
#ifndef _MM_FILEMAP_HEAL_H
#define _MM_FILEMAP_HEAL_H

#include <linux/errno.h>
#include <linux/mm_types.h>
#include <linux/types.h>

struct iov_iter;
struct kiocb;
struct page;
struct vm_fault;

#ifdef CONFIG_MEMORY_FAILURE
int filemap_heal(struct kiocb *iocb, struct iov_iter *iter,
		 ssize_t already_read);
int filemap_drop_bad(struct page *page);
vm_fault_t filemap_fault_bad(struct vm_fault *vmf);
void filemap_retry_give_up(unsigned long pfn);
#else
static inline vm_fault_t filemap_fault_bad(struct vm_fault *vmf)
{
	return VM_FAULT_HWPOISON;
}

static inline int filemap_heal(struct kiocb *iocb, struct iov_iter *iter,
			       ssize_t already_read)
{
	return -EFAULT;
}
#endif

#endif /* _MM_FILEMAP_HEAL_H */
