/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Writes that succeeded and do not count.
 */
#ifndef _EXT4_WRITE_AGAIN_H
#define _EXT4_WRITE_AGAIN_H

#include <linux/bio.h>
#include <linux/buffer_head.h>
#include <linux/fscrypt.h>

/**
 * ext4_write_again() - make what was written dirty again
 * @bio:	a bio of data that ended well; its folios are under writeback still
 *
 * Several writes share one conversion from unwritten to written extents. If one
 * of them fails then there is none, and what the others have put on the disk
 * cannot be read from there.
 *
 * Context: process context. Who waits for the end of the writes may hold the
 * folios' locks.
 */
static inline void ext4_write_again(struct bio *bio)
{
	struct buffer_head *bh, *head;
	struct folio_iter fi;

	bio_for_each_folio_all(fi, bio) {
		struct folio *folio = fi.folio;

		if (fscrypt_is_bounce_folio(folio))
			folio = fscrypt_pagecache_folio(folio);
		/* No other ones: they may never have been read. */
		head = folio_buffers(folio);
		bh = head;
		do {
			if (bh_offset(bh) >= fi.offset &&
			    bh_offset(bh) < fi.offset + fi.length) {
				set_buffer_unwritten(bh);
				mark_buffer_dirty(bh);
			}
			bh = bh->b_this_page;
		} while (bh != head);
	}
}

#endif /* _EXT4_WRITE_AGAIN_H */
