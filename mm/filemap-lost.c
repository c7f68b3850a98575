// SPDX-License-Identifier: GPL-2.0
/*
 * File data that was lost to a memory error.
 *
 * A dirty page with a memory error cannot be read again from the disk. Its data
 * is lost, and has to stay known as lost until somebody overwrites or truncates
 * it: to take the older data of the disk for the file would be a silent lie.
 *
 * What is lost is written down here, by mapping and index, and the page is
 * dropped from the cache as a clean one would be. A record of its own, rather
 * than a state of the folio or an entry in its place, is what nothing that
 * happens to folios can undo: reclaim, a split, migration, invalidation because
 * a server says so, a folio that is not up to date for other reasons. No code
 * that walks the cache meets anything it does not know, nothing is pinned, and
 * memory_failure() ends as it does for other pages. A bit in mapping->flags says
 * that there is something to look up.
 *
 * It is asked where the disk is about to become the file:
 *
 * - No folio gets into the cache where a page is lost: filemap_add_folio()
 *   says -EIO. So do reads, splices, readahead, and writes of a part of the
 *   page; a fault is VM_FAULT_HWPOISON. A folio that is there nevertheless,
 *   because it could not be dropped or is being overwritten, is not read.
 * - Who goes past the cache asks filemap_check_lost(): direct I/O, clone and
 *   copy, fallocate() where it moves data or clears a part of a page, fiemap,
 *   exchange of extents. For lseek() a lost page is data.
 *
 * A page is lost no longer once the new data is in. A write of the whole page
 * claims it, may put a folio there, and says how far it came: a short or failed
 * one leaves the page lost, without a folio. Direct I/O says so when it is
 * complete, fallocate() when there is a hole. Truncation forgets, and so does
 * the end of the inode, which is not reclaimed but goes at unmount at the
 * latest; the log tells. A block device that nobody has mounted is a file like
 * others; its cache ends with the last close.
 *
 * Where the blocks of a file system are larger than a page, the block is what
 * is lost: nobody can write or read a part of it.
 *
 * Pages of tmpfs have nothing behind them. They stay in the cache, marked as bad,
 * and move here when a write is about to replace them.
 */
#include <linux/blkdev.h>
#include <linux/buffer_head.h>
#include <linux/dcache.h>
#include <linux/delay.h>
#include <linux/export.h>
#include <linux/falloc.h>
#include <linux/filemap_lost.h>
#include <linux/fs.h>
#include <linux/iomap.h>
#include <linux/list.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/sched.h>
#include <linux/shmem_fs.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "internal.h"

/* How often to try to split a folio, a millisecond or two apart; and once more */
#define SPLIT_TRIES	100
#define AGAIN_TRIES	20

/**
 * struct lost_page - a page of a file that is lost
 * @list: in lost_pages
 * @mapping: the file
 * @index: the page
 * @writer: who is about to overwrite it, or NULL
 */
struct lost_page {
	struct list_head	list;
	struct address_space	*mapping;
	pgoff_t			index;
	struct task_struct	*writer;
};

/* There are as many as memory errors at most, or blocks that had one. */
static LIST_HEAD(lost_pages);
static DEFINE_SPINLOCK(lost_lock);

/* How many there are, and how many went with the inode */
static unsigned long nr_lost, nr_evicted;

static struct lost_page *find_lost(struct address_space *mapping, pgoff_t index)
{
	struct lost_page *p;

	list_for_each_entry(p, &lost_pages, list) {
		if (p->mapping == mapping && p->index == index)
			return p;
	}

	return NULL;
}

/* Drop an entry, and the flag with the last one */
static void del_lost(struct lost_page *lost)
{
	struct address_space *mapping = lost->mapping;
	struct lost_page *p;

	list_del(&lost->list);
	kfree(lost);
	nr_lost--;
	list_for_each_entry(p, &lost_pages, list) {
		if (p->mapping == mapping)
			return;
	}
	clear_bit(AS_LOST, &mapping->flags);
}

/* Somebody may want to restore the file, or to know what is wrong with it. */
static void tell(struct address_space *mapping, pgoff_t index, unsigned long nr,
		 const char *what)
{
	struct inode *inode = mapping->host;
	struct dentry *dentry;
	char name[80] = "";

	spin_lock(&inode->i_lock);
	dentry = hlist_entry_safe(inode->i_dentry.first, struct dentry, d_u.d_alias);
	if (dentry)
		snprintf(name, sizeof(name), " %pd4", dentry);
	spin_unlock(&inode->i_lock);

	pr_err("hwpoison: %s %s inode %lu%s: bytes %llu to %llu %s\n",
	       inode->i_sb->s_type->name, inode->i_sb->s_id, inode->i_ino, name,
	       (u64)index << PAGE_SHIFT, ((u64)(index + nr) << PAGE_SHIFT) - 1,
	       what);
}

/*
 * Write down the page at @index, or its block, before the folio may go. False if
 * that is known.
 */
static bool add_lost(struct address_space *mapping, pgoff_t index)
{
	unsigned long i, nr = mapping_min_folio_nrpages(mapping);
	struct lost_page *new, *p;
	bool is_new = false;

	index = round_down(index, nr);
	for (i = 0; i < nr; i++) {
		new = kmalloc(sizeof(*new), GFP_NOFS | __GFP_NOFAIL);
		new->mapping = mapping;
		new->index = index + i;
		new->writer = NULL;
		spin_lock(&lost_lock);
		p = find_lost(mapping, index + i);
		if (p) {
			/* What the writer has put there is lost now. */
			p->writer = NULL;
		} else {
			list_add_tail(&new->list, &lost_pages);
			nr_lost++;
			set_bit(AS_LOST, &mapping->flags);
		}
		spin_unlock(&lost_lock);
		if (p)
			kfree(new);
		else
			is_new = true;
	}

	return is_new;
}

/**
 * filemap_nr_lost() - how many pages of files are lost
 * @evicted:	those that are known as such no more, because the inode is not in
 *		memory any longer; else those that are
 *
 * Context: any that may take a spinlock.
 * Return: pages.
 */
unsigned long filemap_nr_lost(bool evicted)
{
	unsigned long nr;

	spin_lock(&lost_lock);
	nr = evicted ? nr_evicted : nr_lost;
	spin_unlock(&lost_lock);

	return nr;
}

static void lose(struct address_space *mapping, pgoff_t index)
{
	unsigned long nr = mapping_min_folio_nrpages(mapping);

	if (add_lost(mapping, index))
		tell(mapping, round_down(index, nr), nr, "are lost");

	/*
	 * For fsync() and syncfs(). Not mapping_set_error(): its flag would
	 * fail one direct read, wherever in the file that is.
	 */
	filemap_set_wb_err(mapping, -EIO);
	errseq_set(&mapping->host->i_sb->s_wb_err, -EIO);
}

/* All that the file has in this page, or block, is within [pos, end]. */
static bool is_covered(const struct lost_page *p, loff_t pos, loff_t end)
{
	loff_t size = mapping_min_folio_nrpages(p->mapping) * PAGE_SIZE;
	loff_t start = round_down((loff_t)p->index << PAGE_SHIFT, size);

	return pos <= start &&
	       end >= min(start + size, i_size_read(p->mapping->host)) - 1;
}

static bool is_within(const struct lost_page *p, struct address_space *mapping,
		      loff_t pos, loff_t end)
{
	return p->mapping == mapping && p->index >= pos >> PAGE_SHIFT &&
	       p->index <= end >> PAGE_SHIFT;
}

/**
 * filemap_page_is_lost() - filemap_is_lost(), once there is something lost
 * @mapping:	the file's page cache
 * @index:	which page
 *
 * Context: any that may take a spinlock.
 * Return: true if so.
 */
bool filemap_page_is_lost(struct address_space *mapping, pgoff_t index)
{
	bool lost;

	spin_lock(&lost_lock);
	lost = find_lost(mapping, index);
	spin_unlock(&lost_lock);

	return lost;
}

/**
 * filemap_is_closed() - is a page lost, and not about to be overwritten by us?
 * @mapping:	the file's page cache
 * @index:	which page
 *
 * For tmpfs, which does not add its folios by filemap_add_folio().
 *
 * Context: any that may take a spinlock.
 * Return: true if so.
 */
bool filemap_is_closed(struct address_space *mapping, pgoff_t index)
{
	struct lost_page *p;
	bool closed;

	if (!filemap_has_lost(mapping))
		return false;

	spin_lock(&lost_lock);
	p = find_lost(mapping, index);
	closed = p && p->writer != current;
	spin_unlock(&lost_lock);

	return closed;
}

/**
 * filemap_lost_error() - filemap_check_lost(), once there is something lost
 * @mapping:	the file's page cache
 * @pos:	first byte
 * @end:	last byte
 * @overwrite:	the range will be written: a page wholly inside does not matter
 *
 * Context: any that may take a spinlock.
 * Return: 0, or -EIO if the range has lost data.
 */
int filemap_lost_error(struct address_space *mapping, loff_t pos, loff_t end,
		       bool overwrite)
{
	struct lost_page *p;
	int error = 0;

	/* Who reads behind the end of the file gets nothing. */
	if (!overwrite && pos >= i_size_read(mapping->host))
		return 0;

	spin_lock(&lost_lock);
	list_for_each_entry(p, &lost_pages, list) {
		if (is_within(p, mapping, pos, end) &&
		    !(overwrite && is_covered(p, pos, end)))
			error = -EIO;
	}
	spin_unlock(&lost_lock);

	return error;
}
EXPORT_SYMBOL_GPL(filemap_lost_error);

/**
 * filemap_refuse_folio() - take a folio out of the cache if a page is lost there
 * @mapping:	the file's page cache
 * @folio:	locked, and just put there: it has no data yet
 * @gfp:	__GFP_WRITE if it is for a write
 *
 * After the folio was put there, not before: else the page could become lost
 * and be dropped between the two.
 *
 * Context: process context.
 * Return: true if it is out of the cache, and unlocked. False if nothing is
 * lost, or only what this task is about to overwrite.
 */
bool filemap_refuse_folio(struct address_space *mapping, struct folio *folio,
			  gfp_t gfp)
{
	loff_t pos = folio_pos(folio), end = pos + folio_size(folio) - 1;
	bool refuse = false;
	struct lost_page *p;

	if (!filemap_has_lost(mapping))
		return false;

	spin_lock(&lost_lock);
	list_for_each_entry(p, &lost_pages, list) {
		if (is_within(p, mapping, pos, end) &&
		    !((gfp & __GFP_WRITE) && p->writer == current))
			refuse = true;
	}
	spin_unlock(&lost_lock);
	if (!refuse)
		return false;

	filemap_remove_folio(folio);
	mem_cgroup_uncharge(folio);
	/* Who has found it meanwhile waits for the lock, and looks again. */
	folio_unlock(folio);

	return true;
}

/**
 * filemap_forget_lost() - what was lost is not a part of the file any more
 * @mapping:	the file's page cache
 * @pos:	first byte
 * @end:	last byte, or -1 for the end of the file
 *
 * Not what this task has claimed: filemap_overwritten() decides about that.
 *
 * Context: process context.
 */
void filemap_forget_lost(struct address_space *mapping, loff_t pos, loff_t end)
{
	bool exiting = mapping_exiting(mapping);
	struct lost_page *p, *found;
	pgoff_t index;

	if (!filemap_has_lost(mapping))
		return;
	if (end < 0)
		end = LLONG_MAX;

	do {
		found = NULL;
		spin_lock(&lost_lock);
		list_for_each_entry(p, &lost_pages, list) {
			if (is_within(p, mapping, pos, end) &&
			    (exiting || (is_covered(p, pos, end) &&
					 p->writer != current))) {
				found = p;
				break;
			}
		}
		if (found) {
			index = found->index;
			del_lost(found);
			if (exiting && mapping->host->i_nlink)
				nr_evicted++;
		}
		spin_unlock(&lost_lock);
		if (found && exiting && mapping->host->i_nlink)
			tell(mapping, index, 1,
			     "were lost, the disk has older data");
	} while (found);
}
EXPORT_SYMBOL_GPL(filemap_forget_lost);

/*
 * Claim for this task what is wholly in [pos, end]. True if that is something
 * it did not have, or if @partial, there is something that is not covered.
 */
static bool claim_lost(struct address_space *mapping, loff_t pos, loff_t end,
		       bool *partial)
{
	bool claimed = false;
	struct lost_page *p;

	*partial = false;
	spin_lock(&lost_lock);
	list_for_each_entry(p, &lost_pages, list) {
		if (!is_within(p, mapping, pos, end))
			continue;
		if (!is_covered(p, pos, end)) {
			*partial = true;
		} else if (p->writer != current) {
			p->writer = current;
			claimed = true;
		}
	}
	spin_unlock(&lost_lock);

	return claimed;
}

/**
 * filemap_claim_lost() - a range will be overwritten past the cache
 * @mapping:	the file's page cache
 * @pos:	first byte
 * @end:	last byte
 *
 * filemap_overwritten() has to follow, in the same task.
 *
 * Context: any that may take a spinlock.
 * Return: 0, or -EIO if a part of the range's first or last page is lost and
 * would stay so.
 */
int filemap_claim_lost(struct address_space *mapping, loff_t pos, loff_t end)
{
	bool partial;

	if (!filemap_has_lost(mapping))
		return 0;
	claim_lost(mapping, pos, end, &partial);
	if (!partial)
		return 0;
	filemap_end_overwrite(mapping, pos, 0);

	return -EIO;
}
EXPORT_SYMBOL_GPL(filemap_claim_lost);

/* The claimed entry that was not overwritten with all of [pos, end], if any */
static bool next_unfinished(struct address_space *mapping, loff_t pos, size_t len,
			    pgoff_t *index)
{
	struct lost_page *p, *next;
	bool found = false;

	spin_lock(&lost_lock);
	list_for_each_entry_safe(p, next, &lost_pages, list) {
		if (p->mapping != mapping || p->writer != current)
			continue;
		if (len && is_covered(p, pos, pos + len - 1)) {
			del_lost(p);
		} else {
			*index = p->index;
			found = true;
		}
	}
	spin_unlock(&lost_lock);

	return found;
}

/* What a write has left in the cache, without having filled it */
static void drop_unfinished(struct address_space *mapping, pgoff_t index)
{
	loff_t pos = (loff_t)index << PAGE_SHIFT;
	struct folio *folio;

	folio = filemap_lock_folio(mapping, index);
	if (IS_ERR(folio))
		return;
	folio_wait_writeback(folio);
	/* That one could not be dropped, and its other pages are good. */
	if (folio_contain_hwpoisoned_page(folio)) {
		folio_unlock(folio);
	} else if (shmem_mapping(mapping)) {
		folio_unlock(folio);
		shmem_truncate_range(mapping->host, pos, pos + PAGE_SIZE - 1);
	} else {
		truncate_inode_folio(mapping, folio);
		folio_unlock(folio);
	}
	folio_put(folio);
}

/**
 * filemap_end_overwrite() - filemap_overwritten(), once there is something lost
 * @mapping:	the file's page cache
 * @pos:	where the write started
 * @len:	how many bytes are new now, 0 for a write that failed
 *
 * Context: process context, may sleep; the caller has no folio locked.
 */
void filemap_end_overwrite(struct address_space *mapping, loff_t pos, size_t len)
{
	struct lost_page *p;
	pgoff_t index;

	while (next_unfinished(mapping, pos, len, &index)) {
		/* As long as it is claimed, nobody else puts a folio there. */
		drop_unfinished(mapping, index);
		spin_lock(&lost_lock);
		p = find_lost(mapping, index);
		if (p && p->writer == current)
			p->writer = NULL;
		spin_unlock(&lost_lock);
	}
}
EXPORT_SYMBOL_GPL(filemap_end_overwrite);

static bool is_bad(struct address_space *mapping, pgoff_t index)
{
	struct folio *folio = filemap_get_folio(mapping, index);
	bool bad;

	if (IS_ERR(folio))
		return false;
	bad = PageHWPoison(folio_file_page(folio, index));
	folio_put(folio);

	return bad;
}

/*
 * Bad pages of tmpfs that are to be overwritten as a whole make way, and count as
 * lost until they are. True if there was one, and it could.
 */
static bool make_way(struct address_space *mapping, loff_t pos, loff_t end)
{
	loff_t size = i_size_read(mapping->host);
	loff_t start = round_up(pos, PAGE_SIZE);
	bool partial, found = false;
	pgoff_t index;

	for (; end >= min(start + (loff_t)PAGE_SIZE, size) - 1 && start <= end;
	     start += PAGE_SIZE) {
		index = start >> PAGE_SHIFT;
		if (!is_bad(mapping, index))
			continue;
		add_lost(mapping, index);
		claim_lost(mapping, pos, end, &partial);
		shmem_truncate_range(mapping->host, start, start + PAGE_SIZE - 1);
		found |= !is_bad(mapping, index);
	}

	return found;
}

/**
 * filemap_overwrite_lost() - let a write replace what was lost
 * @mapping:	the file's page cache
 * @pos:	where the write starts
 * @len:	its length in bytes
 * @error:	what preparing the write came back with
 *
 * Claims the lost pages that the write covers. Preparing should be tried again
 * right away then: filemap_overwritten() follows if that works, and if not,
 * another call of this.
 *
 * Context: process context, may sleep; the caller holds the inode's lock as a
 * writer does, and no folio.
 * Return: true if there were any.
 */
bool filemap_overwrite_lost(struct address_space *mapping, loff_t pos,
			    size_t len, int error)
{
	loff_t end = pos + len - 1;
	bool partial;

	if (error == -EIO && shmem_mapping(mapping) && make_way(mapping, pos, end))
		return true;
	if (!filemap_has_lost(mapping))
		return false;
	if (claim_lost(mapping, pos, end, &partial))
		return true;
	filemap_end_overwrite(mapping, pos, 0);

	return false;
}
EXPORT_SYMBOL_GPL(filemap_overwrite_lost);

/**
 * filemap_cannot_write() - nothing could be copied to the cache: why?
 * @mapping:	the file's page cache
 * @pos:	where the write did not get on
 *
 * The page may have a memory error, and cannot be taken away, for somebody holds
 * on to the folio: filemap_can_write().
 *
 * Context: process context, the caller has no folio.
 * Return: -EIO if that is the reason, else 0.
 */
int filemap_cannot_write(struct address_space *mapping, loff_t pos)
{
	return is_bad(mapping, pos >> PAGE_SHIFT) ? -EIO : 0;
}

/**
 * filemap_good_bytes() - filemap_can_write(), once there is something lost
 * @folio:	the folio, locked
 * @offset:	where in @folio the write starts
 * @len:	its length in bytes
 *
 * Context: any.
 * Return: bytes in front of a bad page, @len if there is none.
 */
size_t filemap_good_bytes(struct folio *folio, size_t offset, size_t len)
{
	size_t at;

	for (at = offset; at < offset + len; at = round_down(at, PAGE_SIZE) + PAGE_SIZE) {
		if (PageHWPoison(folio_page(folio, at >> PAGE_SHIFT)))
			return at - offset;
	}

	return len;
}
EXPORT_SYMBOL_GPL(filemap_good_bytes);

/**
 * filemap_drop_range() - drop what is cached, and keep what is known as lost
 * @inode:	the file
 * @start:	first byte, at the start of a page
 * @end:	last byte, at the end of a page
 *
 * truncate_pagecache_range() for who has written it out, and is about to change
 * what is on the disk: perhaps not all of it. What is lost in the range is
 * forgotten by whoever knows what was changed.
 *
 * Context: process context, may sleep; no folio may be locked.
 */
void filemap_drop_range(struct inode *inode, loff_t start, loff_t end)
{
	unmap_mapping_range(inode->i_mapping, start, end + 1 - start, 0);
	truncate_inode_pages_range(inode->i_mapping, start, end);
}
EXPORT_SYMBOL_GPL(filemap_drop_range);

/**
 * filemap_fallocate_error() - can fallocate() do without what is lost?
 * @mapping:	the file's page cache
 * @mode:	what it is to do
 * @pos:	first byte
 * @len:	number of bytes
 *
 * Data that is moved is moved on the disk, and a part of a page is cleared by
 * reading it from there. filemap_overwritten() has to follow.
 *
 * Context: process context, may sleep; no folio may be locked.
 * Return: 0, or -EIO if it cannot.
 */
int filemap_fallocate_error(struct address_space *mapping, int mode, loff_t pos,
			    loff_t len)
{
	int error;

	if (!filemap_has_lost(mapping))
		return 0;

	switch (mode & FALLOC_FL_MODE_MASK) {
	case FALLOC_FL_INSERT_RANGE:
		return filemap_lost_error(mapping, pos, LLONG_MAX, false);
	case FALLOC_FL_COLLAPSE_RANGE:
		error = filemap_lost_error(mapping, pos + len, LLONG_MAX, false);
		return error ?: filemap_claim_lost(mapping, pos, pos + len - 1);
	case FALLOC_FL_PUNCH_HOLE:
	case FALLOC_FL_ZERO_RANGE:
		return filemap_claim_lost(mapping, pos, pos + len - 1);
	default:
		return 0;
	}
}

/* The first lost byte at @pos or behind it, or LLONG_MAX */
static loff_t first_lost(struct address_space *mapping, loff_t pos)
{
	loff_t first = LLONG_MAX;
	struct lost_page *p;

	spin_lock(&lost_lock);
	list_for_each_entry(p, &lost_pages, list) {
		if (is_within(p, mapping, pos, LLONG_MAX))
			first = min(first, max(pos, (loff_t)p->index << PAGE_SHIFT));
	}
	spin_unlock(&lost_lock);

	return first;
}

/**
 * filemap_llseek() - lseek() in a file of which something is lost
 * @file:	the file
 * @offset:	as for lseek()
 * @whence:	likewise
 *
 * What is lost is data. The disk may have a hole there, or nothing yet, and who
 * copies the file would take that for zeroes and not hear of the loss.
 *
 * Context: that of lseek().
 * Return: the new position in the file, or an error.
 */
loff_t filemap_llseek(struct file *file, loff_t offset, int whence)
{
	struct address_space *mapping = file->f_mapping;
	loff_t found = file->f_op->llseek(file, offset, whence);
	loff_t size = i_size_read(mapping->host), pos = found;

	if (offset < 0 || offset >= size || (found < 0 && found != -ENXIO))
		return found;

	if (whence == SEEK_DATA) {
		pos = first_lost(mapping, offset);
		if (pos >= size || (found >= 0 && found <= pos))
			return found;
	} else if (whence == SEEK_HOLE) {
		while (pos >= 0 && pos < size &&
		       filemap_is_lost(mapping, pos >> PAGE_SHIFT)) {
			pos = min(round_down(pos, PAGE_SIZE) + (loff_t)PAGE_SIZE, size);
			if (pos < size)
				pos = file->f_op->llseek(file, pos, SEEK_HOLE);
		}
	}
	if (pos < 0 || pos == found)
		return pos;

	return vfs_setpos(file, pos, mapping->host->i_sb->s_maxbytes);
}

/**
 * filemap_fault_hwpoison() - a page table says that there was a bad page
 * @vmf:	the fault
 *
 * What became of it is not looked up in all the page tables when the page is
 * overwritten, but here.
 *
 * Context: that of a fault handler, with no page table locked.
 * Return: VM_FAULT_HWPOISON, or 0 if the file has something good there, and the
 * access should be tried again.
 */
vm_fault_t filemap_fault_hwpoison(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct address_space *mapping;
	struct folio *folio;
	bool bad = false;
	spinlock_t *ptl; /* of the page table */
	pte_t *pte;

	/* In a private mapping it may have been the program's own copy. */
	if (!vma->vm_file || !(vma->vm_flags & VM_MAYSHARE))
		return VM_FAULT_HWPOISON;
	mapping = vma->vm_file->f_mapping;
	if (!filemap_is_user_data(mapping) || IS_DAX(mapping->host))
		return VM_FAULT_HWPOISON;

	folio = filemap_get_folio(mapping, vmf->pgoff);
	if (!IS_ERR(folio)) {
		bad = PageHWPoison(folio_file_page(folio, vmf->pgoff));
		folio_put(folio);
	}
	/* Lost before it leaves the cache, so look at that first. */
	if (bad || filemap_is_lost(mapping, vmf->pgoff))
		return VM_FAULT_HWPOISON;

	pte = pte_offset_map_lock(vma->vm_mm, vmf->pmd, vmf->address, &ptl);
	if (pte) {
		if (pte_same(ptep_get(pte), vmf->orig_pte))
			pte_clear(vma->vm_mm, vmf->address, pte);
		pte_unmap_unlock(pte, ptl);
	}

	return 0;
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

/* Its pages can be lost, and known as such. */
static bool can_be_lost(struct address_space *mapping, struct folio *folio)
{
	return filemap_is_user_data(mapping) && !shmem_mapping(mapping) &&
	       !folio_test_hugetlb(folio);
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
 * filemap_keep_lost() - make the page of a dirty folio with a memory error lost
 * @mapping:	where @folio is cached
 * @folio:	the folio: locked, not mapped, not under writeback
 *
 * Context: process context, called by memory_failure().
 * Return: true if that is known now, and @folio has left the cache.
 */
bool filemap_keep_lost(struct address_space *mapping, struct folio *folio)
{
	if (!can_be_lost(mapping, folio) ||
	    folio_order(folio) > mapping_min_folio_order(mapping))
		return false;

	lose(mapping, folio->index);
	truncate_inode_folio(mapping, folio);

	return true;
}

/**
 * filemap_lose_page() - a page could not be written, because it is bad
 * @page:	the page, of a folio that is locked or under writeback
 *
 * The folio stays for now. Whatever becomes of it, the page is lost.
 *
 * Context: process context.
 */
void filemap_lose_page(struct page *page)
{
	struct folio *folio = page_folio(page);
	struct address_space *mapping = folio_mapping(folio);

	if (mapping && can_be_lost(mapping, folio))
		lose(mapping, folio->index + folio_page_idx(folio, page));
}

/* Only there it is known what folio->private is. */
static bool is_iomap(struct address_space *mapping)
{
#ifdef CONFIG_FS_IOMAP
	return mapping->a_ops->is_partially_uptodate == iomap_is_partially_uptodate;
#else
	return false;
#endif
}

#ifdef CONFIG_BUFFER_HEAD
static void dirty_buffers(struct folio *folio, size_t offset, size_t len)
{
	struct buffer_head *head = folio_buffers(folio), *bh = head;

	do {
		if (bh_offset(bh) >= offset && bh_offset(bh) < offset + len &&
		    buffer_uptodate(bh))
			mark_buffer_dirty(bh);
		bh = bh->b_this_page;
	} while (bh != head);
}
#endif

/**
 * filemap_dirty_again() - a write failed, or does not count, and is to be repeated
 * @folio:	a folio under writeback, of a file system that allows that:
 *		mapping_set_write_again()
 * @offset:	where in @folio the write began
 * @len:	how many bytes were written
 *
 * Only these become dirty: the rest of the folio may never have been read. Nor
 * is the file system told, as a_ops->dirty_folio would: ext4 would take this for
 * a program's write that it had no notice of. There is nothing to give notice of,
 * the blocks are allocated.
 *
 * Context: process context. Who waits for the end of the write may have @folio
 * locked.
 */
void filemap_dirty_again(struct folio *folio, size_t offset, size_t len)
{
	struct address_space *mapping = folio_mapping(folio);

#ifdef CONFIG_FS_IOMAP
	if (is_iomap(mapping)) {
		iomap_dirty_range(folio, offset, len);
		return;
	}
#endif
#ifdef CONFIG_BUFFER_HEAD
	if (folio_buffers(folio)) {
		dirty_buffers(folio, offset, len);
		return;
	}
#endif
	filemap_dirty_folio(mapping, folio);
}
EXPORT_SYMBOL_GPL(filemap_dirty_again);

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
	if (!folio_test_dirty(folio) && !filemap_write_failed(folio))
		truncate_inode_folio(mapping, folio);
	else
		filemap_keep_lost(mapping, folio);

	return 0;
}

/* Is something of the page what writeback would write? */
static bool has_data(struct folio *folio, struct page *page)
{
#ifdef CONFIG_FS_IOMAP
	if (is_iomap(folio->mapping))
		return iomap_range_is_dirty(folio, folio_page_idx(folio, page) * PAGE_SIZE,
					    PAGE_SIZE);
#endif
	return true;
}

/*
 * If the bad page is not a part of what is dirty in its folio, have that written: it
 * is a page of a clean folio then. If it is, the folio cannot be made dirty as a whole
 * unless it is up to date: have the rest of it read.
 */
static void make_whole(struct page *page)
{
	struct folio *folio = page_folio(page);
	struct address_space *mapping;
	struct inode *inode = NULL;

	folio_lock(folio);
	mapping = folio->mapping;
	if (!folio_test_anon(folio) && mapping && is_iomap(mapping) &&
	    folio_test_dirty(folio))
		inode = igrab(mapping->host);
	if (inode && !has_data(folio, page)) {
		folio_unlock(folio);
		filemap_write_and_wait_range(mapping, folio_pos(folio),
					     folio_pos(folio) + folio_size(folio) - 1);
	} else if (inode && !folio_test_uptodate(folio)) {
		folio_wait_writeback(folio);
		mapping->a_ops->read_folio(NULL, folio);
		folio_wait_locked(folio);
	} else {
		folio_unlock(folio);
	}
	iput(inode);
}

static int try_give_up(struct page *page, bool again)
{
	struct folio *folio = page_folio(page);
	struct address_space *mapping;
	int error = 0;

	folio_lock(folio);
	folio_wait_writeback(folio);
	mapping = folio->mapping;
	if (!folio_test_anon(folio) && mapping && can_be_lost(mapping, folio)) {
		/* Whether or not the folio can go. */
		if (folio_test_dirty(folio) && has_data(folio, page))
			filemap_lose_page(page);
		if (folio_test_dirty(folio) && folio_test_uptodate(folio) &&
		    folio_test_private(folio) && is_iomap(mapping)) {
			folio_cancel_dirty(folio);
			filemap_release_folio(folio, GFP_NOFS);
			/* Past the file system, which would begin to track it again. */
			filemap_dirty_folio(mapping, folio);
		}
		/* Before somebody writes out, who would begin to track it again. */
		if (again || mapping_min_folio_order(mapping))
			error = give_up(mapping, page);
		else if (folio_test_large(folio))
			error = split_huge_page_to_list_to_order(page, NULL, 0);
	}
	unlock_page(page);

	return error;
}

/**
 * filemap_give_up() - a bad page of a large folio of a file has to go
 * @page:	the page, marked as such, to which the caller has the only reference
 *		that neither the cache nor a mapping has
 * @again:	memory_failure() could not: try it once more. Else this is
 *		memory_failure(), which sees to the page itself once the folio is
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
	int tries = again ? AGAIN_TRIES : SPLIT_TRIES;

	make_whole(page);
	/* Others look at the folio, who waits for writeback for example: not for long. */
	while (try_give_up(page, again) == -EAGAIN && --tries)
		usleep_range(1000, 2000);
}
