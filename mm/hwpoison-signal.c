// SPDX-License-Identifier: GPL-2.0
/*
 * SIGBUS where a task cannot go on because its memory is lost.
 *
 * Where the kernel needs memory of a task to bring it back to user mode, such
 * as a signal frame, and cannot access it, it has nobody to return an error to
 * and sends SIGSEGV. That says that the program has a bad pointer. If it is the
 * memory that is bad, the program gets what it would get for a touch of its
 * own: SIGBUS, BUS_MCEERR_AR, with the address.
 *
 * Why an access failed is not asked of the access, but of the page tables, so
 * that memory which was lost long ago gives the same answer as memory that was
 * met now.
 */
#include <linux/elf.h>
#include <linux/hugetlb.h>
#include <linux/hwpoison.h>
#include <linux/hwpoison_signal.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/pagewalk.h>
#include <linux/ptrace.h>
#include <linux/sched/signal.h>
#include <linux/sched/task_stack.h>
#include <linux/swapops.h>

/* What a signal frame may take of the stack, below what is in use. */
static size_t sigframe_reach(void)
{
#ifdef CONFIG_DYNAMIC_SIGFRAME
	return get_sigframe_size() + 128; /* and the red zone */
#else
	return PAGE_SIZE;
#endif
}

/* It is not mapped, as what was lost is not. Does the file still have it? */
static bool cached_is_lost(struct vm_area_struct *vma, unsigned long addr)
{
	struct folio *folio;
	pgoff_t index;
	bool lost;

	if (!vma->vm_file)
		return false;

	index = linear_page_index(vma, addr);
	folio = filemap_get_folio(vma->vm_file->f_mapping, index);
	if (IS_ERR(folio))
		return false;
	lost = PageHWPoison(folio_file_page(folio, index));
	folio_put(folio);

	return lost;
}

/* The callbacks end the walk, with the address, at the first page that is lost. */
static int found_lost(unsigned long addr, struct mm_walk *walk)
{
	*(unsigned long *)walk->private = addr;
	return 1;
}

/* Only a look: a page that goes while it lasts was not what failed. */
static int pmd_is_lost(pmd_t *pmd, unsigned long addr, unsigned long next,
		       struct mm_walk *walk)
{
	pmd_t entry = pmdp_get_lockless(pmd);
	struct page *page;

	if (pmd_present(entry) && !pmd_leaf(entry))
		return 0;

	walk->action = ACTION_CONTINUE;
	/* memory_failure() may have failed to split it. */
	for (; pmd_present(entry) && addr < next; addr += PAGE_SIZE) {
		page = pmd_page(entry) + ((addr & ~PMD_MASK) >> PAGE_SHIFT);
		if (PageHWPoison(page))
			return found_lost(addr, walk);
	}

	return 0;
}

static int pte_is_lost(pte_t *pte, unsigned long addr, unsigned long next,
		       struct mm_walk *walk)
{
	pte_t entry = ptep_get(pte);
	struct page *page;
	swp_entry_t swp;
	bool lost;

	if (pte_present(entry)) {
		/* memory_failure() may have failed to unmap it. */
		page = vm_normal_page(walk->vma, addr, entry);
		lost = page && PageHWPoison(page);
	} else if (pte_none(entry)) {
		lost = cached_is_lost(walk->vma, addr);
	} else {
		swp = pte_to_swp_entry(entry);
		lost = is_hwpoison_entry(swp) || is_poisoned_swp_entry(swp);
	}

	return lost ? found_lost(addr, walk) : 0;
}

static int hole_is_lost(unsigned long addr, unsigned long next, int depth,
			struct mm_walk *walk)
{
	for (; walk->vma && addr < next; addr += PAGE_SIZE) {
		if (cached_is_lost(walk->vma, addr))
			return found_lost(addr, walk);
	}

	return 0;
}

#ifdef CONFIG_HUGETLB_PAGE
static int hugetlb_is_lost(pte_t *pte, unsigned long hmask, unsigned long addr,
			   unsigned long next, struct mm_walk *walk)
{
	pte_t entry = huge_ptep_get(walk->mm, addr, pte);

	if (pte_present(entry) || huge_pte_none(entry) ||
	    !is_hwpoison_entry(pte_to_swp_entry(entry)))
		return 0;

	return found_lost(addr, walk);
}
#else
#define hugetlb_is_lost NULL
#endif

static const struct mm_walk_ops lost_walk_ops = {
	.pmd_entry	= pmd_is_lost,
	.pte_entry	= pte_is_lost,
	.pte_hole	= hole_is_lost,
	.hugetlb_entry	= hugetlb_is_lost,
	.walk_lock	= PGWALK_RDLOCK,
};

/*
 * Looks, and brings nothing in: the failure may have any other reason, such as
 * a stack that has reached its limit.
 */
static bool find_lost(unsigned long start, size_t len, unsigned long *addr)
{
	struct mm_struct *mm = current->mm;
	unsigned long end = PAGE_ALIGN(start + len);
	bool found;

	/* As long as no page of this machine is bad, none of these is. */
	if (!atomic_long_read(&num_poisoned_pages))
		return false;
	if (!len || end <= start || end > TASK_SIZE_MAX)
		return false;

	mmap_read_lock(mm);
	found = walk_page_range(mm, start & PAGE_MASK, end, &lost_walk_ops,
				addr) > 0;
	mmap_read_unlock(mm);
	if (found)
		*addr = max(*addr, start);

	return found;
}

/**
 * hwpoison_force_sig() - SIGBUS instead of SIGSEGV, where memory is lost
 * @addr:	user memory that could not be accessed
 * @len:	bytes that may have been accessed there; few pages
 * @fatal:	the program must not handle it, as without this memory it could
 *		not even do that
 *
 * To be asked before force_sig(SIGSEGV) or its like, where that is due to
 * memory of the program that could not be read or written.
 *
 * Context: process context of the program, may sleep.
 * Return: true if part of the memory is lost, or poison was met on the way
 * here, and a signal was sent.
 */
bool hwpoison_force_sig(const void __user *addr, size_t len, bool fatal)
{
	unsigned long start = (unsigned long)untagged_addr(addr);
	bool met = hwpoison_met();
	unsigned long at;

	hwpoison_settle_pending();

	if (find_lost(start, len, &at)) {
		if (fatal)
			force_fatal_sig(SIGBUS);
		else
			force_sig_mceerr(BUS_MCEERR_AR, (void __user *)at,
					 PAGE_SHIFT);
		return true;
	}

	/* Somewhere else, then: behind a pointer that was read from there. */
	if (met) {
		if (fatal)
			force_fatal_sig(SIGBUS);
		else
			force_sig(SIGBUS);
	}

	return met;
}

/**
 * hwpoison_force_sig_frame() - SIGBUS if a signal frame is on lost memory
 * @ksig:	the signal that could not be delivered
 *
 * A handler of SIGBUS on another stack may still run. If it is SIGBUS that
 * could not be delivered, the task dies of it.
 *
 * Context: process context of the program, may sleep.
 * Return: true if that was it, and a signal was sent.
 */
bool hwpoison_force_sig_frame(const struct ksignal *ksig)
{
	unsigned long top = current_user_stack_pointer();
	size_t reach = sigframe_reach();

	if (ksig->ka.sa.sa_flags & SA_ONSTACK && !sas_ss_flags(top)) {
		top = current->sas_ss_sp + current->sas_ss_size;
		reach = min(reach, current->sas_ss_size);
	}

	return hwpoison_force_sig((void __user *)(top - reach), reach,
				  ksig->sig == SIGBUS);
}
