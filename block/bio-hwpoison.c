// SPDX-License-Identifier: GPL-2.0
/*
 * Writes that fail because their memory has an error.
 *
 * A disk that reads memory by itself meets poison without a machine check; all
 * that is heard of it is a write that failed. File systems report that once and
 * count the folio as clean. Its bad page would then be read again from the disk
 * as if the disk had the data, and so would its neighbours in the same write,
 * which are as good as before, once reclaim has dropped them.
 *
 * So look for the reason before a failed write of the page cache is completed.
 * A bad page is written down as lost. Where the file system can stand it, all of
 * the write is dirty again: the good pages are written another time. Elsewhere
 * they are as after any other write that failed: a file system that has given up
 * the blocks would write them to where they do not belong.
 */
#include <linux/bio.h>
#include <linux/buffer_head.h>
#include <linux/export.h>
#include <linux/filemap_lost.h>
#include <linux/fs.h>
#include <linux/hwpoison-page.h>
#include <linux/init.h>
#include <linux/pagemap.h>
#include <linux/sched/mm.h>
#include <linux/workqueue.h>

#include "bio-hwpoison.h"

static struct bio_list failed_bios;
static DEFINE_SPINLOCK(failed_lock);
static struct workqueue_struct *failed_wq;

/* Cannot be truncated nor reclaimed while it is being written. */
static bool is_written_back(struct folio *folio)
{
	struct address_space *mapping = folio_mapping(folio);

	return mapping && !folio_test_swapcache(folio) &&
	       filemap_is_user_data(mapping) && folio_test_writeback(folio);
}

static bool has_bad_page(struct bio *bio)
{
	struct bvec_iter_all iter;
	struct bio_vec *bv;
	bool bad = false;

	/* All of them: each that is found is one that is not met later. */
	bio_for_each_segment_all(bv, bio, iter) {
		if (!hwpoison_probe_page(bv->bv_page)) {
			if (is_written_back(page_folio(bv->bv_page)))
				filemap_lose_page(bv->bv_page);
			bad = true;
		}
		cond_resched();
	}

	return bad;
}

/* All of the folio becomes dirty, so all of it has to be there. */
static bool can_write_again(struct folio *folio)
{
	struct address_space *mapping = folio_mapping(folio);

	return folio_test_uptodate(folio) &&
	       (S_ISBLK(mapping->host->i_mode) ||
		test_bit(AS_WRITE_AGAIN, &mapping->flags));
}

static void dirty_again(struct folio *folio)
{
	struct address_space *mapping = folio_mapping(folio);
	bool locked = folio_trylock(folio);

	/*
	 * Who has the lock may be waiting for the end of this write. Without
	 * it, ext4 would take this for a program's write that it had no notice
	 * of. There is nothing to give notice of: the blocks are allocated.
	 */
	if (!locked && IS_ENABLED(CONFIG_BUFFER_HEAD) &&
	    mapping->a_ops->is_partially_uptodate == block_is_partially_uptodate)
		block_dirty_folio(mapping, folio);
	else
		folio_mark_dirty(folio);
	if (locked)
		folio_unlock(folio);
}

static void complete_failed(struct bio *bio)
{
	struct folio_iter fi;

	if (has_bad_page(bio)) {
		bio_for_each_folio_all(fi, bio) {
			if (is_written_back(fi.folio) && can_write_again(fi.folio))
				dirty_again(fi.folio);
		}
	}
	bio->bi_end_io(bio);
}

/*
 * What was met here is settled by another worker: memory_failure() waits for
 * the end of all writes of the folio, of which there may be more to complete.
 */
static void complete_all_failed(struct work_struct *work)
{
	unsigned int flags = memalloc_noio_save();
	struct bio_list list;
	struct bio *bio;

	spin_lock_irq(&failed_lock);
	list = failed_bios;
	bio_list_init(&failed_bios);
	spin_unlock_irq(&failed_lock);

	while ((bio = bio_list_pop(&list)))
		complete_failed(bio);
	memalloc_noio_restore(flags);
}

static DECLARE_WORK(failed_work, complete_all_failed);

/**
 * bio_hwpoison_endio() - complete a failed write later, if it is of user data
 * @bio:	a bio that ended with an error
 *
 * Context: any that may call bio_endio().
 * Return: true if a worker has taken over and will call ->bi_end_io().
 */
bool bio_hwpoison_endio(struct bio *bio)
{
	unsigned long flags;

	/* A clone has the pages of another bio, which will come along as well. */
	if (bio_op(bio) != REQ_OP_WRITE || bio_flagged(bio, BIO_CLONED) ||
	    !bio->bi_vcnt || !bio->bi_end_io || !failed_wq ||
	    !is_written_back(bio_first_folio_all(bio)))
		return false;

	spin_lock_irqsave(&failed_lock, flags);
	bio_list_add(&failed_bios, bio);
	spin_unlock_irqrestore(&failed_lock, flags);
	queue_work(failed_wq, &failed_work);

	return true;
}

static int __init bio_hwpoison_init(void)
{
	failed_wq = alloc_workqueue("bio_hwpoison", WQ_MEM_RECLAIM | WQ_UNBOUND, 0);

	return failed_wq ? 0 : -ENOMEM;
}
subsys_initcall(bio_hwpoison_init);
