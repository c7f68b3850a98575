// SPDX-License-Identifier: GPL-2.0
/*
 * Reading pages that belong to somebody else and may have a memory error.
 */
#include <linux/export.h>
#include <linux/highmem.h>
#include <linux/hwpoison-page.h>
#include <linux/hwpoison.h>
#include <linux/page-flags.h>
#include <linux/pgtable.h>
#include <linux/scatterlist.h>
#include <linux/swap.h>
#include <linux/swapops.h>
#include <linux/uaccess.h>
#include <linux/workqueue.h>

/**
 * hwpoison_probe_page() - can a page be read?
 * @page:	the page; the caller has a reference
 *
 * For code that is about to read all of it and cannot be stopped half way: a
 * checksum, a compressor. Loads once from each line. A page that is out of
 * service already is not touched.
 *
 * Context: any.
 * Return: false if it cannot. It is recorded then.
 */
bool hwpoison_probe_page(struct page *page)
{
	void *addr;
	bool good;

	if (hwpoison_known_bad(page))
		return false;
	addr = kmap_local_page(page);
	good = hwpoison_probe(addr, PAGE_SIZE);
	kunmap_local(addr);

	return good;
}
EXPORT_SYMBOL_GPL(hwpoison_probe_page);

/**
 * hwpoison_probe_folio() - hwpoison_probe_page() for a folio
 * @folio:	the folio; the caller has a reference
 *
 * Context: process context, may sleep.
 * Return: false if there is a page that cannot be read.
 */
bool hwpoison_probe_folio(struct folio *folio)
{
	long i;

	for (i = 0; i < folio_nr_pages(folio); i++) {
		if (!hwpoison_probe_page(folio_page(folio, i)))
			return false;
		cond_resched();
	}

	return true;
}
EXPORT_SYMBOL_GPL(hwpoison_probe_folio);

/**
 * hwpoison_probe_sg() - hwpoison_probe_page() for what a scatterlist is of
 * @sgl:	the list; the caller has references to the pages
 * @nents:	number of its entries
 *
 * Context: process context, may sleep.
 * Return: false if there is something that cannot be read.
 */
bool hwpoison_probe_sg(struct scatterlist *sgl, unsigned int nents)
{
	struct sg_mapping_iter miter;
	bool good = true;

	sg_miter_start(&miter, sgl, nents, SG_MITER_FROM_SG);
	while (good && sg_miter_next(&miter))
		good = !hwpoison_known_bad(miter.page) &&
		       hwpoison_probe(miter.addr, miter.length);
	sg_miter_stop(&miter);

	return good;
}
EXPORT_SYMBOL_GPL(hwpoison_probe_sg);

/*
 * Loads that an error makes jump to the label. With the compiler's help an
 * ordinary load each, and the fixup is out of line.
 */
static bool compare(const u64 *a, const u64 *b, int *diff)
{
	const u64 *end = a + PAGE_SIZE / sizeof(*a);
	u64 x, y;

	for (; a < end; a++, b++) {
		__get_kernel_nofault(&x, a, u64, bad);
		__get_kernel_nofault(&y, b, u64, bad);
		if (x != y) {
			/* In the order of memcmp(), which goes by bytes. */
			*diff = be64_to_cpu((__force __be64)x) <
				be64_to_cpu((__force __be64)y) ? -1 : 1;
			return true;
		}
	}
	*diff = 0;
	return true;
bad:
	return false;
}

/**
 * hwpoison_compare_pages() - memcmp_pages() for pages that may be bad
 * @page1:	one page; the caller has a reference
 * @page2:	the other; the same
 * @diff:	what memcmp_pages() returns, if they could be read
 *
 * Stops at the first byte that differs, like memcmp_pages(): what it did not
 * read it says nothing about.
 *
 * Context: any.
 * Return: false if there is a memory error in the way. The page is recorded.
 */
bool hwpoison_compare_pages(struct page *page1, struct page *page2, int *diff)
{
	void *addr1, *addr2;
	bool good;

	if (hwpoison_known_bad(page1) || hwpoison_known_bad(page2))
		return false;
	addr1 = kmap_local_page(page1);
	addr2 = kmap_local_page(page2);
	good = compare(addr1, addr2, diff);
	kunmap_local(addr2);
	kunmap_local(addr1);

	return good;
}

/**
 * hwpoison_copy_page() - copy a page that may be bad
 * @to:		where to
 * @from:	the page; the caller has a reference
 *
 * Like copy_mc_highpage(), but recovers on all CPUs, does not touch a page
 * that is out of service, and leaves the page to the default settler.
 *
 * Context: any.
 * Return: false if it could not be read to its end.
 */
bool hwpoison_copy_page(struct page *to, struct page *from)
{
	void *dst, *src;
	size_t left;

	if (hwpoison_known_bad(from))
		return false;
	src = kmap_local_page(from);
	dst = kmap_local_page(to);
	left = hwpoison_copy(dst, src, PAGE_SIZE);
	if (!left)
		kmsan_copy_page_meta(to, from);
	kunmap_local(dst);
	kunmap_local(src);

	return !left;
}
EXPORT_SYMBOL_GPL(hwpoison_copy_page);

/**
 * hwpoison_known_bad_sg() - hwpoison_known_bad() for an element of a scatterlist
 * @sg:		the element
 *
 * For who was told no more than that a mapping failed, and wants to know whether
 * to try again. Whom that happens to may have interrupted somebody else, so what
 * the current task has met is no answer.
 *
 * Context: any.
 * Return: true if one of its pages is.
 */
bool hwpoison_known_bad_sg(struct scatterlist *sg)
{
	return hwpoison_known_bad_range(sg_page(sg), sg->offset, sg->length);
}

/**
 * hwpoison_known_bad_sgs() - hwpoison_known_bad_sg() for several scatterlists
 * @sgs:	the lists
 * @nr:		how many
 *
 * Context: any.
 * Return: true if one of their pages is.
 */
bool hwpoison_known_bad_sgs(struct scatterlist *sgs[], unsigned int nr)
{
	struct scatterlist *sg;
	unsigned int i;

	for (i = 0; i < nr; i++) {
		for (sg = sgs[i]; sg; sg = sg_next(sg)) {
			if (sg_page(sg) && hwpoison_known_bad_sg(sg))
				return true;
		}
	}

	return false;
}
EXPORT_SYMBOL_GPL(hwpoison_known_bad_sgs);

/*
 * What is in the swap cache and is not uptodate has no other use for this flag.
 * File systems have theirs on pages with a mapping, and anonymous memory on pages
 * that are uptodate.
 */
static bool may_be_swapped_in(struct folio *folio)
{
	return !folio_test_slab(folio) && !READ_ONCE(folio->mapping) &&
	       folio_test_locked(folio) && !folio_test_uptodate(folio);
}

/**
 * hwpoison_swapin_lost() - what was to be read has a memory error
 * @page:	where it was to be read to
 *
 * For whoever keeps memory in memory, and knows nothing of whose it is. If it is
 * being swapped in, its owner is told the reason.
 *
 * Context: any, the read under way.
 */
void hwpoison_swapin_lost(struct page *page)
{
	struct folio *folio = page_folio(page);

	if (may_be_swapped_in(folio))
		folio_set_mappedtodisk(folio);
}
EXPORT_SYMBOL_GPL(hwpoison_swapin_lost);

/**
 * hwpoison_swapin_failed() - what to say when a page could not be read back
 * @vmf:	the fault; its page table is locked, and the entry is the same
 * @folio:	what it was to be read to, not uptodate
 *
 * If that is because of a memory error in the copy in swap, the page is lost for
 * this address space: the page table remembers it, and the slot is free for
 * others. A disk that failed may do better another time.
 *
 * Context: page fault, with the page table lock held.
 * Return: VM_FAULT_HWPOISON if it was a memory error, else VM_FAULT_SIGBUS.
 */
vm_fault_t hwpoison_swapin_failed(struct vm_fault *vmf, struct folio *folio)
{
	struct mm_struct *mm = vmf->vma->vm_mm;

	if (!may_be_swapped_in(folio) || !folio_test_mappedtodisk(folio))
		return VM_FAULT_SIGBUS;

	dec_mm_counter(mm, MM_SWAPENTS);
	set_pte_at(mm, vmf->address & PAGE_MASK, vmf->pte,
		   swp_entry_to_pte(make_poisoned_swp_entry()));
	swap_free(pte_to_swp_entry(vmf->orig_pte));

	return VM_FAULT_HWPOISON;
}

/* The page that the worker is at; it takes one at a time. */
static unsigned long soon_pfn;

static void settle_soon(struct work_struct *work)
{
	hwpoison_wait_idle(soon_pfn);
	hwpoison_settle(soon_pfn);
	/* Pairs with cmpxchg_acquire() in hwpoison_settle_soon() */
	smp_store_release(&soon_pfn, 0);
}

static DECLARE_WORK(soon_work, settle_soon);

/**
 * hwpoison_settle_soon() - pages could not be moved: for a memory error?
 * @start_pfn:	where to look for pages that somebody has met an error in
 * @end_pfn:	the end of that
 *
 * For a system call that tries again until no page is left. What it has met
 * would be settled when it returns, and what it waits for is just that. It also
 * holds what memory_failure() may need, so a worker settles one of the pages.
 *
 * Context: process context; the range is online, and no page of it isolated by
 * the caller.
 */
void hwpoison_settle_soon(unsigned long start_pfn, unsigned long end_pfn)
{
	unsigned long pfn;

	if (!hwpoison_maybe_pending())
		return;

	for (pfn = start_pfn; pfn < end_pfn; pfn++) {
		if (PageHWPoison(pfn_to_page(pfn)) || !hwpoison_recorded(pfn))
			continue;
		if (!cmpxchg_acquire(&soon_pfn, 0, pfn))
			queue_work(system_unbound_wq, &soon_work);
		return;
	}
}
