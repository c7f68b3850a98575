/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Reading pages that belong to somebody else and may have a memory error.
 *
 * For the kernel's housekeeping: what it cannot read it leaves alone. The page
 * is recorded, and taken out of service behind the caller's back.
 */
#ifndef _LINUX_HWPOISON_PAGE_H
#define _LINUX_HWPOISON_PAGE_H

#include <linux/highmem.h>
#include <linux/hwpoison.h>
#include <linux/mm.h>

struct bio;
struct scatterlist;

#if defined(CONFIG_MEMORY_FAILURE) && defined(CONFIG_X86_64)

bool __must_check hwpoison_probe_page(struct page *page);
bool __must_check hwpoison_probe_folio(struct folio *folio);
bool __must_check hwpoison_probe_sg(struct scatterlist *sgl, unsigned int nents);
bool __must_check hwpoison_probe_bio(struct bio *bio);
bool __must_check hwpoison_compare_pages(struct page *page1, struct page *page2, int *diff);
bool __must_check hwpoison_copy_page(struct page *to, struct page *from);
bool hwpoison_known_bad_sg(struct scatterlist *sg);
bool hwpoison_known_bad_sgs(struct scatterlist *sgs[], unsigned int nr);
void hwpoison_swapin_lost(struct page *page);
vm_fault_t hwpoison_swapin_failed(struct vm_fault *vmf, struct folio *folio);
void hwpoison_settle_soon(unsigned long start_pfn, unsigned long end_pfn);

#else

static inline bool __must_check hwpoison_probe_page(struct page *page)
{
	return true;
}

static inline bool __must_check hwpoison_probe_folio(struct folio *folio)
{
	return true;
}

static inline bool __must_check hwpoison_probe_sg(struct scatterlist *sgl, unsigned int nents)
{
	return true;
}

static inline bool __must_check hwpoison_probe_bio(struct bio *bio)
{
	return true;
}

static inline bool __must_check hwpoison_compare_pages(struct page *page1,
						       struct page *page2, int *diff)
{
	*diff = memcmp_pages(page1, page2);
	return true;
}

static inline bool __must_check hwpoison_copy_page(struct page *to, struct page *from)
{
	return !copy_mc_highpage(to, from);
}

static inline bool hwpoison_known_bad_sg(struct scatterlist *sg)
{
	return false;
}

static inline bool hwpoison_known_bad_sgs(struct scatterlist *sgs[], unsigned int nr)
{
	return false;
}

static inline void hwpoison_swapin_lost(struct page *page)
{
}

static inline vm_fault_t hwpoison_swapin_failed(struct vm_fault *vmf,
						struct folio *folio)
{
	return VM_FAULT_SIGBUS;
}

static inline void hwpoison_settle_soon(unsigned long start_pfn,
					unsigned long end_pfn)
{
}

#endif

/**
 * hwpoison_pages_identical() - pages_identical() for pages that may be bad
 * @page1:	one page
 * @page2:	the other
 *
 * Context: any that pages_identical() may be called in.
 * Return: true if both could be read and have the same content.
 */
static inline bool hwpoison_pages_identical(struct page *page1,
					    struct page *page2)
{
	int diff;

	return hwpoison_compare_pages(page1, page2, &diff) && !diff;
}

#endif /* _LINUX_HWPOISON_PAGE_H */
