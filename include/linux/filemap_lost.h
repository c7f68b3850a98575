/* SPDX-License-Identifier: GPL-2.0 */
/*
 * File data that was lost to a memory error, see mm/filemap-lost.c.
 */
#ifndef _LINUX_FILEMAP_LOST_H
#define _LINUX_FILEMAP_LOST_H

#include <linux/bitops.h>
#include <linux/fs.h>
#include <linux/pagemap.h>
#include <linux/types.h>

/*
 * Bits in mapping->flags, behind those of pagemap.h: pages of the file are lost;
 * and what could not be written may be made dirty again.
 */
#define AS_LOST		31
#define AS_WRITE_AGAIN	30

void iomap_dirty_range(struct folio *folio, size_t off, size_t len);
bool iomap_range_is_dirty(struct folio *folio, size_t off, size_t len);

#ifdef CONFIG_MEMORY_FAILURE

/**
 * filemap_has_lost() - is a page of a file lost?
 * @mapping:	the file's page cache
 *
 * Context: any.
 * Return: true if there may be one.
 */
static inline bool filemap_has_lost(const struct address_space *mapping)
{
	return unlikely(test_bit(AS_LOST, &mapping->flags));
}

/**
 * mapping_set_write_again() - a failed write may be repeated
 * @mapping:	page cache of a file whose file system can stand it
 *
 * When a write fails because of a bad page, all of it is made dirty once more
 * while the folios are still under writeback. The file system must not have
 * given up the blocks by then, and not expect to be told beforehand. It keeps
 * buffers, or uses iomap.
 */
static inline void mapping_set_write_again(struct address_space *mapping)
{
	set_bit(AS_WRITE_AGAIN, &mapping->flags);
}

unsigned long filemap_nr_lost(bool evicted);
bool filemap_is_user_data(const struct address_space *mapping);
void filemap_give_up(struct page *page, bool again);
bool filemap_write_failed(struct folio *folio);
bool filemap_keep_lost(struct address_space *mapping, struct folio *folio);
void filemap_lose_page(struct page *page);
void filemap_dirty_again(struct folio *folio, size_t offset, size_t len);
bool filemap_overwrite_lost(struct address_space *mapping, loff_t pos,
			    size_t len, int error);
int filemap_cannot_write(struct address_space *mapping, loff_t pos);
size_t filemap_good_bytes(struct folio *folio, size_t offset, size_t len);
void filemap_drop_range(struct inode *inode, loff_t start, loff_t end);
int filemap_lost_error(struct address_space *mapping, loff_t pos, loff_t end,
		       bool overwrite);
bool filemap_page_is_lost(struct address_space *mapping, pgoff_t index);
bool filemap_is_closed(struct address_space *mapping, pgoff_t index);
bool filemap_refuse_folio(struct address_space *mapping, struct folio *folio,
			  gfp_t gfp);
void filemap_end_overwrite(struct address_space *mapping, loff_t pos, size_t len);
void filemap_forget_lost(struct address_space *mapping, loff_t pos, loff_t end);
int filemap_claim_lost(struct address_space *mapping, loff_t pos, loff_t end);
int filemap_fallocate_error(struct address_space *mapping, int mode, loff_t pos,
			    loff_t len);
loff_t filemap_llseek(struct file *file, loff_t offset, int whence);
vm_fault_t filemap_fault_hwpoison(struct vm_fault *vmf);
struct page *filemap_heal_page(struct page *page);

#else /* !CONFIG_MEMORY_FAILURE */

static inline bool filemap_has_lost(const struct address_space *mapping)
{
	return false;
}

static inline void mapping_set_write_again(struct address_space *mapping)
{
}

static inline bool filemap_overwrite_lost(struct address_space *mapping,
					  loff_t pos, size_t len, int error)
{
	return false;
}

static inline int filemap_cannot_write(struct address_space *mapping, loff_t pos)
{
	return 0;
}

static inline size_t filemap_good_bytes(struct folio *folio, size_t offset,
					size_t len)
{
	return len;
}

static inline void filemap_drop_range(struct inode *inode, loff_t start,
				      loff_t end)
{
	truncate_pagecache_range(inode, start, end);
}

static inline int filemap_lost_error(struct address_space *mapping, loff_t pos,
				     loff_t end, bool overwrite)
{
	return 0;
}

static inline bool filemap_page_is_lost(struct address_space *mapping,
					pgoff_t index)
{
	return false;
}

static inline bool filemap_is_closed(struct address_space *mapping,
				     pgoff_t index)
{
	return false;
}

static inline bool filemap_refuse_folio(struct address_space *mapping,
					struct folio *folio, gfp_t gfp)
{
	return false;
}

static inline void filemap_end_overwrite(struct address_space *mapping,
					 loff_t pos, size_t len)
{
}

static inline void filemap_forget_lost(struct address_space *mapping,
				       loff_t pos, loff_t end)
{
}

static inline int filemap_claim_lost(struct address_space *mapping, loff_t pos,
				     loff_t end)
{
	return 0;
}

static inline int filemap_fallocate_error(struct address_space *mapping,
					  int mode, loff_t pos, loff_t len)
{
	return 0;
}

static inline loff_t filemap_llseek(struct file *file, loff_t offset, int whence)
{
	return file->f_op->llseek(file, offset, whence);
}

static inline vm_fault_t filemap_fault_hwpoison(struct vm_fault *vmf)
{
	return VM_FAULT_HWPOISON;
}

#endif /* CONFIG_MEMORY_FAILURE */

/**
 * filemap_check_lost() - may the disk be taken for the file here?
 * @mapping:	the file's page cache
 * @pos:	first byte
 * @end:	last byte
 * @overwrite:	the range will be written: a page wholly inside does not matter
 *
 * Whoever is about to use what the disk has, past the page cache, asks this
 * after it has written out what is dirty. The disk has what the file held
 * before the lost write.
 *
 * Context: any that may take a spinlock.
 * Return: 0, or -EIO if the range has lost data.
 */
static inline int filemap_check_lost(struct address_space *mapping, loff_t pos,
				     loff_t end, bool overwrite)
{
	return filemap_has_lost(mapping) ?
	       filemap_lost_error(mapping, pos, end, overwrite) : 0;
}

/**
 * filemap_is_lost() - is a page of a file lost?
 * @mapping:	the file's page cache
 * @index:	which page
 *
 * Context: any that may take a spinlock.
 * Return: true if so.
 */
static inline bool filemap_is_lost(struct address_space *mapping, pgoff_t index)
{
	return filemap_has_lost(mapping) && filemap_page_is_lost(mapping, index);
}

/**
 * filemap_folio_is_lost() - is a page of the file lost where this folio is?
 * @mapping:	where @folio is cached
 * @folio:	the folio, locked
 *
 * Context: any that may take a spinlock.
 * Return: true if so. What is not up to date in it must not be read.
 */
static inline bool filemap_folio_is_lost(struct address_space *mapping,
					 struct folio *folio)
{
	return filemap_check_lost(mapping, folio_pos(folio), folio_pos(folio) +
				  folio_size(folio) - 1, false);
}

/**
 * filemap_can_write() - how much of a write can go to a folio of the cache?
 * @mapping:	where @folio is cached
 * @folio:	the folio, locked
 * @offset:	where in @folio the write starts
 * @len:	its length in bytes
 *
 * A bad page that could not be dropped stays in a folio with good ones. A store
 * to it does not fail, but nobody could read what was stored.
 *
 * Context: any.
 * Return: bytes in front of such a page, @len if there is none.
 */
static inline size_t filemap_can_write(struct address_space *mapping,
				       struct folio *folio, size_t offset,
				       size_t len)
{
	return filemap_has_lost(mapping) ?
	       filemap_good_bytes(folio, offset, len) : len;
}

/**
 * filemap_overwritten() - a write is done, or failed
 * @mapping:	the file's page cache
 * @pos:	where it started
 * @len:	how many bytes are new now, 0 for a write that failed
 *
 * What this task has claimed for the write is lost no longer if it is new as a
 * whole. The rest stays lost.
 *
 * Context: process context, may sleep; the caller has no folio locked.
 */
static inline void filemap_overwritten(struct address_space *mapping,
				       loff_t pos, ssize_t len)
{
	if (filemap_has_lost(mapping))
		filemap_end_overwrite(mapping, pos, len > 0 ? len : 0);
}

#endif /* _LINUX_FILEMAP_LOST_H */
