/* SPDX-License-Identifier: GPL-2.0 */
/*
 * File data with a memory error, on its way into the journal.
 */
#ifndef _JBD2_BAD_DATA_H
#define _JBD2_BAD_DATA_H

#include <linux/buffer_head.h>
#include <linux/fs.h>
#include <linux/hwpoison-page.h>
#include <linux/jbd2.h>
#include <linux/pagemap.h>
#include <linux/rcupdate.h>

static inline struct page *jbd2_page(struct buffer_head *bh)
{
	return folio_page(bh->b_folio, bh_offset(bh) >> PAGE_SHIFT);
}

/* Without a mapping it was truncated, and was file data. */
static inline bool jbd2_is_file_data(struct buffer_head *bh)
{
	struct address_space *mapping;
	bool is_data;

	rcu_read_lock();
	mapping = READ_ONCE(bh->b_folio->mapping);
	is_data = !mapping || S_ISREG(mapping->host->i_mode);
	rcu_read_unlock();

	return is_data;
}

/**
 * jbd2_cannot_log() - is it impossible to write a buffer to the journal?
 * @jh:		a buffer of the committing transaction
 *
 * The journal looks at what it writes, and may make a checksum of it. Metadata
 * is the kernel's own, and not looked for: a transaction without a part of it
 * would be worse than none.
 *
 * Context: process context.
 * Return: true if it is file data, and has a memory error. fsync() knows then.
 */
static inline bool jbd2_cannot_log(struct journal_head *jh)
{
	struct buffer_head *bh = jh2bh(jh);
	struct address_space *mapping;

	if (jh->b_frozen_data || !jbd2_is_file_data(bh) ||
	    hwpoison_probe_page(jbd2_page(bh)))
		return false;

	/* Writeback finds nothing to do then; this is no clean page for that. */
	set_buffer_write_io_error(bh);
	rcu_read_lock();
	mapping = READ_ONCE(bh->b_folio->mapping);
	if (mapping)
		mapping_set_error(mapping, -EIO);
	rcu_read_unlock();

	return true;
}

/**
 * jbd2_copy_data() - keep a copy of a buffer's data
 * @to:		where to
 * @bh:		the buffer
 *
 * Context: any.
 * Return: false if it has a memory error.
 */
static inline bool jbd2_copy_data(char *to, struct buffer_head *bh)
{
	char *from;
	size_t left;

	if (hwpoison_known_bad(jbd2_page(bh)))
		return false;
	from = kmap_local_folio(bh->b_folio, bh_offset(bh));
	left = hwpoison_copy(to, from, bh->b_size);
	kunmap_local(from);

	return !left;
}

#endif /* _JBD2_BAD_DATA_H */
