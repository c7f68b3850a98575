// SPDX-License-Identifier: GPL-2.0
/*
 * Reading on when a page of the page cache has a memory error.
 *
 * A clean page is as good on the disk: filemap_heal() takes the bad one out of
 * service, and the reader looks it up again. What cannot be read again, or
 * cannot be dropped, is an error.
 */
#include <linux/delay.h>
#include <linux/filemap_lost.h>
#include <linux/fs.h>
#include <linux/highmem.h>
#include <linux/hugetlb.h>
#include <linux/hwpoison.h>
#include <linux/magic.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/rmap.h>
#include <linux/set_memory.h>
#include <linux/shmem_fs.h>
#include <linux/swap.h>
#include <linux/uaccess.h>
#include <linux/uio.h>

#include "filemap-heal.h"
#include "internal.h"

/* How often to look whether a folio is free, a millisecond or two apart */
#define DROP_TRIES	16

/* How often to give the worker a fifth of a second, on a machine that is busy */
#define SETTLE_TRIES	20

/* Bad pages to look for in what is dropped; the rest would be no cluster */
#define MAX_OTHERS	16

/* The page of the cache at @index if it is @pfn, with a reference to its folio */
static struct folio *get_bad_folio(struct address_space *mapping, pgoff_t index,
				   unsigned long pfn)
{
	struct folio *folio = filemap_get_folio(mapping, index);

	if (IS_ERR(folio))
		return NULL;
	if (page_to_pfn(folio_file_page(folio, index)) == pfn)
		return folio;
	folio_put(folio);
	return NULL;
}

/* Is all of a folio as good on the disk? Then it is not mapped any more. */
static bool unmap_clean(struct address_space *mapping, struct folio *folio)
{
	if (!filemap_is_user_data(mapping) || shmem_mapping(mapping) ||
	    folio_test_hugetlb(folio) || !folio_test_uptodate(folio) ||
	    filemap_write_failed(folio))
		return false;
	if (folio_mkclean(folio))
		folio_mark_dirty(folio);
	if (folio_test_dirty(folio))
		return false;
	if (folio_mapped(folio))
		unmap_mapping_folio(folio);

	return !folio_test_dirty(folio);
}

/*
 * Like reclaim. When somebody holds the folio for longer, such as a pipe, it
 * leaves the cache all the same, and the allocator does not get the bad page
 * when that is over. 0, or -EBUSY in that case.
 */
static int drop_clean(struct address_space *mapping, struct folio *folio,
		      struct page *page, bool *first, bool held)
{
	int error = 0;

	if (!mapping_evict_folio(mapping, folio)) {
		if (!held || (folio_needs_release(folio) &&
			      !filemap_release_folio(folio, GFP_NOFS)))
			return -EAGAIN;
		error = -EBUSY;
	}
	*first = !TestSetPageHWPoison(page);
	if (folio_test_large(folio))
		folio_set_has_hwpoisoned(folio);
	if (error)
		truncate_inode_folio(mapping, folio);

	return error;
}

/*
 * Errors come in clusters, and all pages of a large folio are about to go to the
 * allocator. Who gets them next may be the kernel, for data of its own: look at
 * them first.
 */
static void find_others(struct folio *folio)
{
	unsigned long i, pfn;
	int found = 0;

	/* What a kernel thread meets is settled behind its back. */
	if (current->flags & PF_KTHREAD)
		return;

	for (i = 0; i < folio_nr_pages(folio) && found < MAX_OTHERS; i++) {
		struct page *page = folio_page(folio, i);
		void *addr;
		bool good;

		cond_resched();
		if (hwpoison_known_bad(page))
			continue;
		addr = kmap_local_page(page);
		good = hwpoison_probe(addr, PAGE_SIZE);
		kunmap_local(addr);
		if (good || !hwpoison_claim(folio, &pfn))
			continue;
		found++;
		if (!TestSetPageHWPoison(page)) {
			memory_failure_done(pfn, MF_RECOVERED);
			hwpoison_tell(0, PFN_PHYS(pfn), HWPOISON_BY_TASK, 0);
			set_mce_nospec(pfn);
		}
		/* There is only the record left. */
		hwpoison_settle(pfn);
	}
}

static int try_drop(struct page *page, bool held)
{
	struct folio *folio = page_folio(page);
	unsigned long pfn = page_to_pfn(page);
	struct address_space *mapping;
	bool first = false;
	int error = -EINVAL;

	/* A look only; elsewhere the lock may mean something else. */
	if (folio_test_anon(folio) || folio_test_hugetlb(folio) ||
	    !folio_mapping(folio))
		return -EINVAL;
	if (!folio_try_get(folio))
		return -EAGAIN;
	if (!folio_trylock(folio)) {
		folio_put(folio);
		return -EAGAIN;
	}

	mapping = folio->mapping;
	if (page_folio(page) != folio || folio_test_writeback(folio))
		error = -EAGAIN;
	else if (!folio_test_anon(folio) && mapping && !hwpoison_filter(page) &&
		 unmap_clean(mapping, folio))
		error = drop_clean(mapping, folio, page, &first, held);
	folio_unlock(folio);
	if (!error && folio_test_large(folio))
		find_others(folio);
	folio_put(folio);

	if (first) {
		memory_failure_done(pfn, error ? MF_FAILED : MF_RECOVERED);
		if (!error)
			set_mce_nospec(pfn);
	}

	return error == -EBUSY ? 0 : error;
}

/**
 * filemap_drop_bad() - drop a page with a memory error that can be read again
 * @page:	the page
 *
 * This is memory_failure() for clean pages of files, for whoever must not wait
 * for the lock of that, nor for a folio that somebody else has locked. A large
 * folio is dropped as a whole.
 *
 * Does to the folio what reclaim does, and takes the same locks.
 *
 * Context: process context, may sleep. Locks may be held, but none that reclaim
 * takes; no folio may be locked.
 * Return: 0 if it was dropped; -EINVAL if it is no such page, -EAGAIN if that
 * could not be found out soon.
 */
int filemap_drop_bad(struct page *page)
{
	int error, tries;

	for (tries = 1;; tries++) {
		error = try_drop(page, tries >= DROP_TRIES);
		if (error != -EAGAIN || tries >= DROP_TRIES + DROP_TRIES / 2)
			return error;
		if (tries == 1)
			lru_add_drain_all();
		else
			usleep_range(1000, 2000);
	}
}

/**
 * filemap_retry_give_up() - memory_failure() could not deal with a page before
 * @pfn:	number of the page, which is marked
 *
 * Context: process context, may sleep; no lock may be held.
 */
void filemap_retry_give_up(unsigned long pfn)
{
	struct page *page = pfn_to_online_page(pfn);
	struct folio *folio;

	if (!page)
		return;
	folio = page_folio(page);
	if (folio_test_hugetlb(folio) || folio_test_anon(folio) ||
	    !folio_mapping(folio) || !folio_try_get(folio))
		return;
	if (page_folio(page) == folio)
		filemap_give_up(page, true);
	/* It may have been split. */
	put_page(page);
}

/*
 * The bad page at @pos, or NULL: the page there met no poison. Takes over the
 * record of the error, if it was this task that met it.
 */
static struct page *claim_bad_page(struct address_space *mapping, loff_t pos)
{
	struct page *page = NULL;
	struct folio *folio;
	unsigned long pfn;

	folio = filemap_get_folio(mapping, pos >> PAGE_SHIFT);
	if (IS_ERR(folio))
		return NULL;

	if (hwpoison_claim(folio, &pfn))
		page = pfn_to_page(pfn);
	else if (PageHWPoison(folio_file_page(folio, pos >> PAGE_SHIFT)))
		page = folio_file_page(folio, pos >> PAGE_SHIFT);
	folio_put(folio);

	return page;
}

static bool is_cached(struct address_space *mapping, pgoff_t index, struct page *page)
{
	struct folio *folio = get_bad_folio(mapping, index, page_to_pfn(page));

	if (folio)
		folio_put(folio);

	return folio;
}

/**
 * filemap_fault_bad() - somebody faults on a bad page that is still in the cache
 * @vmf:	the fault, with the page, but no reference to it
 *
 * memory_failure() may be about to drop it, and it is as good on the disk. It
 * has a reference until then, so let it, or drop the page here.
 *
 * Context: that of a fault handler; no folio or page table may be locked.
 * Return: VM_FAULT_NOPAGE if the page has left the cache, and the access should
 * be tried again; else VM_FAULT_HWPOISON.
 */
vm_fault_t filemap_fault_bad(struct vm_fault *vmf)
{
	struct file *file = vmf->vma->vm_file;
	struct address_space *mapping;

	if (!file)
		return VM_FAULT_HWPOISON;
	mapping = file->f_mapping;
	/* Elsewhere it need not come from the cache, and would be met for ever. */
	if (!filemap_is_user_data(mapping) || shmem_mapping(mapping) ||
	    IS_DAX(mapping->host) || !mapping->a_ops->read_folio)
		return VM_FAULT_HWPOISON;

	filemap_drop_bad(vmf->page);

	return is_cached(mapping, vmf->pgoff, vmf->page) ?
	       VM_FAULT_HWPOISON : VM_FAULT_NOPAGE;
}

/* Take a bad page away. True if the cache has another one, or none, there. */
static bool replace_page(struct address_space *mapping, pgoff_t index,
			 struct page *page)
{
	int tries;

	hwpoison_settle(page_to_pfn(page));
	/* Who is told of an error is not told anything else from then on. */
	for (tries = 0; tries < SETTLE_TRIES && hwpoison_recorded(page_to_pfn(page)) &&
	     !fatal_signal_pending(current); tries++)
		hwpoison_settle_again(page_to_pfn(page));
	if (!is_cached(mapping, index, page))
		return true;
	/* memory_failure() was at it, or could not split it when it went bad. */
	if (!filemap_drop_bad(page) || !is_cached(mapping, index, page))
		return true;
	if (PageHWPoison(page) && folio_test_large(page_folio(page)))
		hwpoison_settle_again(page_to_pfn(page));

	return !is_cached(mapping, index, page);
}

/**
 * filemap_heal() - a copy from the page cache came up short: mend and go on?
 * @iocb:	the read; ki_pos is at the first byte that was not copied
 * @iter:	its destination
 * @already_read: bytes read so far
 *
 * A clean page with a memory error is dropped, so that it can be read again. A
 * reader that must not wait for I/O waits here too: the page has to go before
 * anybody touches it once more, and the next lookup finds nothing cached.
 *
 * Where the page is lost or cannot be dropped, the bytes that this read took
 * from its good part are given back, in @iter and ki_pos: the same read has the
 * same answer now and later.
 *
 * Context: process context, may sleep. The caller holds no reference to any
 * folio of the file.
 * Return: 0 if the caller should look the page up again; -EIO for data that
 * cannot be had; -EINTR if the task is killed; -EFAULT if no memory error was
 * the reason.
 */
int filemap_heal(struct kiocb *iocb, struct iov_iter *iter,
		 ssize_t already_read)
{
	struct address_space *mapping = iocb->ki_filp->f_mapping;
	struct page *page;
	ssize_t undo;

	page = claim_bad_page(mapping, iocb->ki_pos);
	if (!page) {
		if (fatal_signal_pending(current))
			return -EINTR;
		/* The page went while we looked, or this is an older error. */
		if (hwpoison_pending())
			return hwpoison_settle_pending() ? 0 : -EIO;
		/*
		 * Somebody else met it, and it left the direct map under our
		 * copy; unless the destination is to blame.
		 */
		return faulthandler_disabled() ||
		       fault_in_iov_iter_writeable(iter, 1) ? -EFAULT : 0;
	}

	if (replace_page(mapping, iocb->ki_pos >> PAGE_SHIFT, page) &&
	    !filemap_is_lost(mapping, iocb->ki_pos >> PAGE_SHIFT))
		return 0;

	undo = min_t(ssize_t, already_read, offset_in_page(iocb->ki_pos));
	iov_iter_revert(iter, undo);
	iocb->ki_pos -= undo;

	return -EIO;
}

/*
 * Is an inode all that it takes to read a page of it? A file system on a disk
 * does not ask who reads; the others do, and so does FUSE on a disk.
 */
static bool can_read_inode(const struct inode *inode)
{
	return S_ISREG(inode->i_mode) && inode->i_sb->s_bdev &&
	       inode->i_sb->s_magic != FUSE_SUPER_MAGIC &&
	       inode->i_mapping->a_ops->read_folio;
}

/* The file and the page of it that a folio caches, with a reference to the inode */
static struct inode *grab_inode(struct page *page, pgoff_t *index)
{
	struct folio *folio = page_folio(page);
	struct address_space *mapping;
	struct inode *inode = NULL;
	int tries = 0;

	/* The caller may have the pipe locked: do not wait for whoever it is. */
	while (!folio_trylock(folio)) {
		if (++tries > DROP_TRIES)
			return NULL;
		usleep_range(1000, 2000);
	}
	mapping = folio_mapping(folio);
	if (mapping && mapping->host && can_read_inode(mapping->host)) {
		inode = igrab(mapping->host);
		*index = folio->index + folio_page_idx(folio, page);
	}
	folio_unlock(folio);

	return inode;
}

/**
 * filemap_heal_page() - a page of the cache that was lent out came up short
 * @page:	the page, to which the caller has a reference
 *
 * What was spliced out of the page cache is a reference to the page. If it is
 * clean, its file can be read again.
 *
 * Context: process context, may sleep; no folio may be locked, and no lock held
 * that reading the file takes.
 * Return: the page that has the same data now, with a reference of its own;
 * else an ERR_PTR(): -EIO for data that cannot be had, -EFAULT if @page is not
 * bad at all.
 */
struct page *filemap_heal_page(struct page *page)
{
	struct page *good = ERR_PTR(-EIO);
	struct folio *folio;
	struct inode *inode;
	pgoff_t index;

	inode = grab_inode(page, &index);
	hwpoison_settle_pending();
	if (!PageHWPoison(page)) {
		good = ERR_PTR(-EFAULT);
		goto out;
	}
	if (!inode)
		goto out;

	/* A folio that could not be split, for all the references, goes whole. */
	if (is_cached(inode->i_mapping, index, page))
		filemap_drop_bad(page);
	if (index >= DIV_ROUND_UP(i_size_read(inode), PAGE_SIZE))
		goto out;
	folio = read_mapping_folio(inode->i_mapping, index, NULL);
	if (IS_ERR(folio))
		goto out;
	good = folio_file_page(folio, index);
	if (PageHWPoison(good)) {
		folio_put(folio);
		good = ERR_PTR(-EIO);
	}
out:
	iput(inode);

	return good;
}
