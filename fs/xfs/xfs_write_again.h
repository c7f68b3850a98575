/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Writes that failed and will be made once more.
 */
#ifndef _XFS_WRITE_AGAIN_H
#define _XFS_WRITE_AGAIN_H

#include <linux/bio.h>
#include <linux/iomap.h>
#include <linux/list.h>
#include <linux/pagemap.h>

static inline bool xfs_bio_again(struct xfs_inode *ip, struct bio *bio, bool cancel)
{
	struct folio_iter fi;
	bool again = false;
	loff_t pos;

	bio_for_each_folio_all(fi, bio) {
		if (folio_test_dirty(fi.folio)) {
			again = true;
		} else if (cancel) {
			pos = folio_pos(fi.folio) + fi.offset;
			xfs_reflink_cancel_cow_range(ip, pos, fi.length, true);
			xfs_bmap_punch_delalloc_range(ip, XFS_DATA_FORK, pos,
						      pos + fi.length);
		}
	}

	return again;
}

static inline bool xfs_ioend_again(struct xfs_inode *ip, struct iomap_ioend *ioend,
				   bool cancel)
{
	bool again = xfs_bio_again(ip, &ioend->io_bio, cancel);
	struct iomap_ioend *next;

	list_for_each_entry(next, &ioend->io_list, io_list)
		again |= xfs_bio_again(ip, &next->io_bio, cancel);

	return again;
}

/**
 * xfs_write_again() - do blocks of a failed copy-on-write have to stay?
 * @ip:		the inode
 * @ioend:	writes that failed; their folios are under writeback still
 *
 * Folios that are dirty again will be written to where the writes went to. If
 * that were given up they would be written in place, where another file has its
 * data. What belongs to other folios is given up here then.
 *
 * Context: process context, with no lock of the inode.
 * Return: true if there is such a folio.
 */
static inline bool xfs_write_again(struct xfs_inode *ip, struct iomap_ioend *ioend)
{
	return xfs_ioend_again(ip, ioend, false) && xfs_ioend_again(ip, ioend, true);
}

#endif /* _XFS_WRITE_AGAIN_H */
