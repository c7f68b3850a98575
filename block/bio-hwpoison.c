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
 *
 * Writes to neighbouring blocks become one request of the disk, which fails as a
 * whole. Those that have no bad page are made once more, by themselves, and
 * nobody hears of it, whatever the file system. That goes for data of files:
 * metadata in the same request has failed.
 */
#include <linux/bio.h>
#include <linux/blk-crypto.h>
#include <linux/blkdev.h>
#include <linux/buffer_head.h>
#include <linux/export.h>
#include <linux/filemap_lost.h>
#include <linux/fs.h>
#include <linux/hwpoison-page.h>
#include <linux/hwpoison.h>
#include <linux/init.h>
#include <linux/pagemap.h>
#include <linux/sched/mm.h>
#include <linux/workqueue.h>

#include "bio-hwpoison.h"

/* All of a request fails at once, but others may fail meanwhile: in jiffies */
#define WAIT_FOR_OTHERS	2
#define MAX_WAITS	10

static struct bio_list failed_bios;
static unsigned long last_failed;	/* in jiffies */
static unsigned int nr_waits;
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
		cond_resched();
		if (hwpoison_probe_page(bv->bv_page))
			continue;
		bad = true;
		if (is_written_back(page_folio(bv->bv_page)))
			filemap_lose_page(bv->bv_page);
		/* Else the folio is written for ever, and never well. */
		if (PageHWPoison(bv->bv_page))
			hwpoison_settle_later(page_to_pfn(bv->bv_page));
	}

	return bad;
}

static bool can_write_again(struct folio *folio)
{
	struct address_space *mapping = folio_mapping(folio);

	return S_ISBLK(mapping->host->i_mode) ||
	       test_bit(AS_WRITE_AGAIN, &mapping->flags);
}

static void complete_bad(struct bio *bio)
{
	struct folio_iter fi;

	bio_for_each_folio_all(fi, bio) {
		if (is_written_back(fi.folio) && can_write_again(fi.folio))
			filemap_dirty_again(fi.folio, fi.offset, fi.length);
	}
	bio->bi_end_io(bio);
}

/*
 * Write it once more, and by itself, which is also the mark that this was done.
 * False if that cannot be.
 */
static bool try_alone(struct bio *bio)
{
	struct bvec_iter *iter = &bio->bi_iter;
	unsigned int i, size = 0, done = iter->bi_bvec_done;

	if (bio->bi_opf & REQ_NOMERGE)
		return false;
	/* What ended as a whole has no bytes left, and is where it began. */
	for (i = 0; i < bio->bi_vcnt; i++) {
		size += bio->bi_io_vec[i].bv_len;
		if (i < iter->bi_idx)
			done += bio->bi_io_vec[i].bv_len;
	}
	if (iter->bi_size && iter->bi_size + done != size)
		return false;
	/* Zones are written in order, and keys have a number for each block. */
	if (bdev_is_zoned(bio->bi_bdev) || (done && bio_has_crypt_ctx(bio)))
		return false;
	iter->bi_sector -= done >> SECTOR_SHIFT;
	iter->bi_size = size;
	iter->bi_idx = 0;
	iter->bi_bvec_done = 0;

	bio->bi_status = BLK_STS_OK;
	bio->bi_opf |= REQ_NOMERGE;
	bio_clear_flag(bio, BIO_QOS_THROTTLED);
	bio_clear_flag(bio, BIO_QOS_MERGED);
	bio_associate_blkg(bio);
	submit_bio_noacct(bio);

	return true;
}

/* True if more may be to come. */
static bool take_failed(struct bio_list *list)
{
	bool wait;

	spin_lock_irq(&failed_lock);
	wait = time_before(jiffies, last_failed + WAIT_FOR_OTHERS) &&
	       ++nr_waits < MAX_WAITS;
	if (!wait) {
		nr_waits = 0;
		bio_list_merge_init(list, &failed_bios);
	}
	spin_unlock_irq(&failed_lock);

	return wait;
}

static void complete_all_failed(struct work_struct *work);
static DECLARE_DELAYED_WORK(failed_work, complete_all_failed);

/*
 * What was met here is settled by another worker: memory_failure() waits for
 * the end of all writes of the folio, of which there may be more to complete.
 */
static void complete_all_failed(struct work_struct *work)
{
	struct bio_list list = BIO_EMPTY_LIST, good = BIO_EMPTY_LIST;
	unsigned int flags;
	bool any_bad = false;
	struct bio *bio;

	if (take_failed(&list)) {
		queue_delayed_work(failed_wq, &failed_work, WAIT_FOR_OTHERS);
		return;
	}

	flags = memalloc_noio_save();
	while ((bio = bio_list_pop(&list))) {
		if (has_bad_page(bio)) {
			any_bad = true;
			complete_bad(bio);
		} else {
			bio_list_add(&good, bio);
		}
	}
	while ((bio = bio_list_pop(&good))) {
		if (!any_bad || !try_alone(bio))
			bio->bi_end_io(bio);
	}
	memalloc_noio_restore(flags);
}

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
	last_failed = jiffies;
	spin_unlock_irqrestore(&failed_lock, flags);
	queue_delayed_work(failed_wq, &failed_work, WAIT_FOR_OTHERS);

	return true;
}

/**
 * hwpoison_probe_bio() - can all that a bio is of be read?
 * @bio:	a bio that was not started
 *
 * For drivers that read it with a CPU and cannot be stopped half way. Loads
 * once from each line. A page that is known to be bad may be in use for its good
 * part: only what the bio is of is loaded, and it may be gone from the direct map.
 *
 * Context: any.
 * Return: false if there is something that cannot be read. It is recorded then,
 * and the driver should let the bio fail: bio_hwpoison_endio() sees to the rest.
 */
bool hwpoison_probe_bio(struct bio *bio)
{
	struct bvec_iter iter;
	struct bio_vec bv;

	if (!bio_has_data(bio))
		return true;

	bio_for_each_segment(bv, bio, iter) {
		void *addr = bvec_kmap_local(&bv);
		/* What was met a moment ago is not met again. */
		bool good = !hwpoison_recorded(page_to_pfn(bv.bv_page)) &&
			    hwpoison_probe(addr, bv.bv_len);

		kunmap_local(addr);
		if (!good)
			return false;
	}

	return true;
}
EXPORT_SYMBOL_GPL(hwpoison_probe_bio);

static int __init bio_hwpoison_init(void)
{
	failed_wq = alloc_workqueue("bio_hwpoison", WQ_MEM_RECLAIM | WQ_UNBOUND, 0);

	return failed_wq ? 0 : -ENOMEM;
}
subsys_initcall(bio_hwpoison_init);
