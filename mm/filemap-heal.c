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
#include <linux/hugetlb.h>
#include <linux/hwpoison.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/pagemap.h>
#include <linux/rmap.h>
#include <linux/set_memory.h>
#include <linux/shmem_fs.h>
#include <linux/swap.h>
#include <linux/uaccess.h>
#include <linux/uio.h>

#include "filemap-heal.h"
#include "internal.h"

/* How long to wait for other readers to let go of a folio */
#define HEAL_WAIT_MS	200

/* One page is healed at a time: the second reader finds the work done. */
static DEFINE_MUTEX(heal_mutex);

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

static bool folio_is_referenced(struct folio *folio)
{
	int known = folio_nr_pages(folio) + folio_test_private(folio) +
		    folio_mapcount(folio);

	return folio_ref_count(folio) > known + 1;
}

/*
 * memory_failure() can neither split nor drop a folio that somebody else holds,
 * and gets one chance: wait until readers are done with it.
 */
static void wait_for_references(struct address_space *mapping, pgoff_t index,
				unsigned long pfn)
{
	struct folio *folio;
	bool busy = true;
	int ms;

	for (ms = 0; busy && ms < HEAL_WAIT_MS; ms++) {
		folio = get_bad_folio(mapping, index, pfn);
		if (!folio)
			return;
		busy = folio_is_referenced(folio);
		folio_put(folio);
		if (busy && !ms)
			lru_add_drain_all();
		else if (busy)
			usleep_range(1000, 2000);
	}
}

/* Drop a clean folio that could not be split, as a whole. */
static bool drop_clean_folio(struct address_space *mapping, struct folio *folio)
{
	bool dropped = false;

	folio_lock(folio);
	folio_wait_writeback(folio);
	if (folio->mapping != mapping) {
		dropped = true;
	} else if (filemap_is_user_data(mapping) && !shmem_mapping(mapping) &&
		   !folio_test_hugetlb(folio)) {
		if (folio_mkclean(folio))
			folio_mark_dirty(folio);
		if (!folio_test_dirty(folio) && folio_test_uptodate(folio) &&
		    !filemap_write_failed(folio))
			dropped = !truncate_inode_folio(mapping, folio);
	}
	folio_unlock(folio);

	return dropped;
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

/* Take a bad page away. True if the cache has another one, or none, there. */
static bool replace_page(struct address_space *mapping, pgoff_t index,
			 struct page *page)
{
	unsigned long pfn = page_to_pfn(page);
	struct folio *folio;
	bool gone = true;

	mutex_lock(&heal_mutex);
	if (!PageHWPoison(page))
		wait_for_references(mapping, index, pfn);
	/* Also waits for a call for this page that is under way elsewhere. */
	if (hwpoison_settle(pfn) && PageHWPoison(page)) {
		/* Who holds it, such as a pipe, has to fail without touching it. */
		set_mce_nospec(pfn);
	}
	mutex_unlock(&heal_mutex);

	/* The result says little: what counts is whether the page is gone. */
	folio = get_bad_folio(mapping, index, pfn);
	if (folio) {
		gone = drop_clean_folio(mapping, folio);
		/* Perhaps who held it when it went bad has let go. */
		if (!gone && PageHWPoison(page))
			filemap_give_up(page, true);
		put_page(page);
	}

	return gone;
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
 * cannot be had; -EFAULT if no memory error was the reason.
 */
int filemap_heal(struct kiocb *iocb, struct iov_iter *iter,
		 ssize_t already_read)
{
	struct address_space *mapping = iocb->ki_filp->f_mapping;
	struct page *page;
	ssize_t undo;

	page = claim_bad_page(mapping, iocb->ki_pos);
	if (!page) {
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

/* The file and the page of it that a folio caches, with a reference to the inode */
static struct inode *grab_inode(struct page *page, pgoff_t *index)
{
	struct folio *folio = page_folio(page);
	struct address_space *mapping;
	struct inode *inode = NULL;

	folio_lock(folio);
	mapping = folio_mapping(folio);
	/* Elsewhere reading a page takes more than the inode. */
	if (mapping && mapping->host && S_ISREG(mapping->host->i_mode) &&
	    mapping->host->i_sb->s_bdev && mapping->a_ops->read_folio) {
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
 * Context: process context, may sleep; no folio may be locked.
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
	folio = get_bad_folio(inode->i_mapping, index, page_to_pfn(page));
	if (folio) {
		/* If it stays, nobody touches it once more. */
		if (!drop_clean_folio(inode->i_mapping, folio))
			set_mce_nospec(page_to_pfn(page));
		folio_put(folio);
	}
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
