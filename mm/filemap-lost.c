// SPDX-License-Identifier: GPL-2.0
/*
 * File data that was lost to a memory error.
 *
 * A dirty page with a memory error cannot be read again from the disk. Its data
 * is lost, and has to stay known as lost until somebody overwrites or truncates
 * it: to read the older data from the disk would be a silent lie. Such a folio
 * stays in the cache, marked HWPoison and not Uptodate, a pair that nothing
 * else in the page cache of a file on disk has:
 *
 * - readers find it not up to date, and filemap_read_folio() says -EIO;
 * - a fault on it is VM_FAULT_HWPOISON;
 * - it is neither dirty nor on the LRU, so it is not written nor reclaimed, and
 *   the reference of memory_failure() keeps it from being evicted, and through
 *   it the inode;
 * - whoever looks it up to lock and change it gets -EIO, so nothing zeroes or
 *   copies through the direct map, which the page is gone from;
 * - truncation removes it like any other folio.
 *
 * Where the blocks of a file system are larger than a page, the block is what
 * is lost: nobody can write or read a part of it.
 *
 * The state is forgotten with the inode, at unmount at the latest. A block device
 * that nobody has mounted is a file like others; its cache ends with the last
 * close.
 */
#include <linux/blkdev.h>
#include <linux/buffer_head.h>
#include <linux/delay.h>
#include <linux/export.h>
#include <linux/filemap_lost.h>
#include <linux/fs.h>
#include <linux/jump_label.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/pagevec.h>
#include <linux/shmem_fs.h>

#include "internal.h"

/* How often to try to split a folio, a millisecond or two apart */
#define SPLIT_TRIES	100

/* Set once a page was lost since boot: direct I/O has to look for them */
static DEFINE_STATIC_KEY_FALSE(filemap_has_lost);

/**
 * folio_is_lost_data() - folio_is_lost() of a folio that is not up to date
 * @folio:	folio that the caller holds a reference to
 *
 * Context: any. Stable under the folio lock.
 * Return: true if it is kept because its data was dirty.
 */
bool folio_is_lost_data(const struct folio *folio)
{
	return folio_contain_hwpoisoned_page((struct folio *)folio) &&
	       !folio_test_uptodate(folio) && !folio_test_swapbacked(folio);
}

/**
 * filemap_is_user_data() - is all of a cache what programs have written?
 * @mapping:	the cache
 *
 * That of a block device may hold what a file system reads through the direct
 * map, and nobody else: then it has a holder.
 *
 * Context: any.
 * Return: true for a regular file, and for a device that programs use as one.
 */
bool filemap_is_user_data(const struct address_space *mapping)
{
	umode_t mode = mapping->host->i_mode;

	return S_ISREG(mode) ||
	       (IS_ENABLED(CONFIG_BLOCK) && S_ISBLK(mode) &&
		!READ_ONCE(I_BDEV(mapping->host)->bd_holder));
}

/*
 * Make do with what can be had: the page, or the block of a file system whose
 * blocks are larger. It is as good on the disk, or lost.
 */
static int give_up(struct address_space *mapping, struct page *page)
{
	unsigned int order = mapping_min_folio_order(mapping);
	struct folio *folio = page_folio(page);
	int error;

	if (folio_order(folio) > order) {
		error = split_huge_page_to_list_to_order(page, NULL, order);
		if (error)
			return error;
		folio = page_folio(page);
	}
	unmap_mapping_folio(folio);
	if (!folio_test_uptodate(folio))
		return 0;
	if (!folio_test_dirty(folio) && !filemap_write_failed(folio)) {
		truncate_inode_folio(mapping, folio);
	} else if (filemap_keep_lost(mapping, folio)) {
		/* This, or the reference, keeps it from being evicted. */
		if (!folio_isolate_lru(folio))
			folio_get(folio);
	}

	return 0;
}

static int try_give_up(struct page *page, bool split)
{
	struct folio *folio = page_folio(page);
	struct address_space *mapping;
	int error = 0;

	folio_lock(folio);
	folio_wait_writeback(folio);
	mapping = folio->mapping;
	if (!folio_test_anon(folio) && mapping && filemap_is_user_data(mapping)) {
		if (folio_test_dirty(folio) && folio_test_uptodate(folio) &&
		    folio_test_private(folio)) {
			folio_cancel_dirty(folio);
			filemap_release_folio(folio, GFP_NOFS);
			/* Past the file system, which would begin to track it again. */
			filemap_dirty_folio(mapping, folio);
		}
		if (split || mapping_min_folio_order(mapping))
			error = give_up(mapping, page);
	}
	unlock_page(page);

	return error;
}

/**
 * filemap_give_up() - a bad page of a large folio of a file has to go
 * @page:	the page, marked as such, to which the caller has the only reference
 *		that neither the cache nor a mapping has
 * @again:	memory_failure() could not: try it once more. Else this is
 *		memory_failure(), which splits the folio itself where it can be
 *		split into pages
 *
 * A file system that tracks which blocks of a folio are dirty does not let go
 * of a dirty one, so it cannot be split, and all of it would have to count as
 * lost. Make the whole folio dirty instead: a block that was not is written
 * once more as it is.
 *
 * Context: process context, may sleep; no folio may be locked.
 */
void filemap_give_up(struct page *page, bool again)
{
	int tries = again ? 1 : SPLIT_TRIES;

	/* Others look at the folio, writeback for example: not for long. */
	while (try_give_up(page, again) == -EAGAIN && --tries)
		usleep_range(1000, 2000);
}

/**
 * filemap_write_failed() - is this the only good copy, although it is clean?
 * @folio:	a folio of a file, locked and not under writeback
 *
 * When a disk cannot read the memory that it is to write from, or for any other
 * reason, writeback reports an error and leaves the folio clean. File systems
 * that keep buffers remember that; the others do not.
 *
 * Context: process context, called by memory_failure().
 * Return: true if a part of it was not written when it last should have been.
 */
bool filemap_write_failed(struct folio *folio)
{
#ifdef CONFIG_BUFFER_HEAD
	struct address_space *mapping = folio_mapping(folio);
	struct buffer_head *head, *bh;

	/* There is no other mark of what folio->private is. */
	if (!mapping || folio_test_swapcache(folio) ||
	    mapping->a_ops->is_partially_uptodate != block_is_partially_uptodate)
		return false;
	head = folio_buffers(folio);
	bh = head;
	while (bh) {
		if (buffer_write_io_error(bh))
			return true;
		bh = bh->b_this_page;
		if (bh == head)
			break;
	}
#endif
	return false;
}

/**
 * filemap_keep_lost() - make a dirty folio with a memory error a lost one
 * @mapping:	where @folio is cached
 * @folio:	the folio: locked, not mapped, not under writeback
 *
 * Context: process context, called by memory_failure().
 * Return: true if @folio is now lost and must stay where it is.
 */
bool filemap_keep_lost(struct address_space *mapping, struct folio *folio)
{
	if (!filemap_is_user_data(mapping) || shmem_mapping(mapping) ||
	    folio_test_hugetlb(folio) ||
	    folio_order(folio) > mapping_min_folio_order(mapping))
		return false;

	/* What truncation does, short of removing it: buffers forget the data. */
	if (folio_needs_release(folio))
		folio_invalidate(folio, 0, folio_size(folio));
	folio_cancel_dirty(folio);
	if (folio_test_large(folio))
		folio_set_has_hwpoisoned(folio);
	folio_clear_uptodate(folio);

	/*
	 * For fsync() and syncfs(). Not mapping_set_error(): its flag would
	 * fail one direct read, wherever in the file that is.
	 */
	filemap_set_wb_err(mapping, -EIO);
	errseq_set(&mapping->host->i_sb->s_wb_err, -EIO);

	static_branch_enable(&filemap_has_lost);

	return true;
}

static struct folio *next_lost(struct address_space *mapping, pgoff_t *index,
			       pgoff_t last)
{
	struct folio_batch fbatch;
	struct folio *found = NULL;
	unsigned int i;

	folio_batch_init(&fbatch);
	while (!found && filemap_get_folios(mapping, index, last, &fbatch)) {
		for (i = 0; i < folio_batch_count(&fbatch) && !found; i++) {
			struct folio *folio = fbatch.folios[i];

			if (folio_is_lost(folio)) {
				folio_get(folio);
				*index = folio_next_index(folio);
				found = folio;
			}
		}
		folio_batch_release(&fbatch);
		cond_resched();
	}

	return found;
}

/* All that the file has in this page is within [pos, end). */
static bool lost_is_covered(struct address_space *mapping, struct folio *folio,
			    loff_t pos, loff_t end)
{
	loff_t start = folio_pos(folio);

	return pos <= start && end >= min(start + (loff_t)folio_size(folio),
					  i_size_read(mapping->host));
}

/**
 * filemap_overwrite_lost() - let a write replace what was lost
 * @mapping:	the file's page cache
 * @pos:	where the write starts
 * @len:	its length in bytes
 * @error:	what preparing the write came back with
 *
 * Context: process context, may sleep; the caller holds the inode's lock as a
 * writer does, and no folio.
 * Return: true if lost pages within the range were dropped, and preparing
 * should be tried again.
 */
bool filemap_overwrite_lost(struct address_space *mapping, loff_t pos,
			    size_t len, int error)
{
	pgoff_t index = pos >> PAGE_SHIFT;
	bool dropped = false;
	struct folio *folio;

	if (error != -EIO || !static_branch_unlikely(&filemap_has_lost))
		return false;

	while ((folio = next_lost(mapping, &index, (pos + len - 1) >> PAGE_SHIFT))) {
		if (lost_is_covered(mapping, folio, pos, pos + len)) {
			folio_lock(folio);
			if (folio_is_lost(folio) && folio->mapping == mapping) {
				truncate_inode_folio(mapping, folio);
				dropped = true;
				/* Of a block, all but the bad pages are of use again. */
				if (folio_test_large(folio))
					folio_put(folio);
			}
			folio_unlock(folio);
		}
		folio_put(folio);
	}

	return dropped;
}
EXPORT_SYMBOL_GPL(filemap_overwrite_lost);

/**
 * filemap_cannot_write() - nothing could be copied to the cache: why?
 * @mapping:	the file's page cache
 * @pos:	where the write did not get on
 *
 * A page that has a memory error and cannot be taken away, for somebody holds
 * on to the folio, is not in the direct map.
 *
 * Context: process context, the caller has no folio.
 * Return: -EIO if that is the reason, else 0.
 */
int filemap_cannot_write(struct address_space *mapping, loff_t pos)
{
	struct folio *folio = filemap_get_folio(mapping, pos >> PAGE_SHIFT);
	int error = 0;

	if (IS_ERR(folio))
		return 0;
	if (PageHWPoison(folio_file_page(folio, pos >> PAGE_SHIFT)))
		error = -EIO;
	folio_put(folio);

	return error;
}

/**
 * filemap_check_lost() - may direct I/O go past the cache here?
 * @mapping:	the file's page cache
 * @pos:	first byte
 * @end:	last byte
 * @overwrite:	the range will be written: a page wholly inside does not matter
 *
 * The disk has what the file held before the lost write.
 *
 * Context: process context, may sleep.
 * Return: 0, or -EIO if the range has lost data.
 */
int filemap_check_lost(struct address_space *mapping, loff_t pos, loff_t end,
		       bool overwrite)
{
	pgoff_t index = pos >> PAGE_SHIFT;
	struct folio *folio;
	int error = 0;

	if (!static_branch_unlikely(&filemap_has_lost))
		return 0;

	while (!error && (folio = next_lost(mapping, &index, end >> PAGE_SHIFT))) {
		if (!overwrite || !lost_is_covered(mapping, folio, pos, end + 1))
			error = -EIO;
		folio_put(folio);
	}

	return error;
}
