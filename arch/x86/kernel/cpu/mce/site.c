// SPDX-License-Identifier: GPL-2.0
/*
 * What to say about a machine check in the kernel that nothing recovers from.
 *
 * The rule that severity.c found does not tell which code it was, and that is
 * what somebody would have to teach how to fail.
 */
#include <linux/memory_hotplug.h>
#include <linux/mm.h>

#include <asm/extable_desc.h>
#include <asm/mce.h>
#include <asm/unwind.h>

#include "internal.h"

static const char *page_kind(struct mce *m)
{
	struct page *page;

	if (!mce_usable_address(m))
		return "an unknown page";
	page = pfn_to_online_page(PHYS_PFN(m->addr & MCI_ADDR_PHYSADDR));
	if (!page)
		return "memory without a page";
	if (PageReserved(page))
		return "the kernel's image, or firmware";
	if (PageSlab(page))
		return "a slab";
	if (PageTable(page))
		return "a page table";
	if (page_folio(page)->mapping)
		return "user data";
	return "the kernel's own data";
}

#define SITE_DEPTH	4

static bool is_kernel_site(struct mce *m)
{
	return m && m->ip && (m->cs & 3) != 3;
}

/**
 * mce_tell_site() - name the load that should be able to recover, and cannot
 * @m:	the error that the machine dies of, or NULL
 *
 * Comes first: what a panic does next may well load the same line.
 *
 * Context: mce_panic().
 */
void mce_tell_site(struct mce *m)
{
	if (!is_kernel_site(m))
		return;
	pr_emerg(HW_ERR "Not recovered: %pS %s\n", (void *)(unsigned long)m->ip,
		 ex_mc_grade(m->ip) == EX_MC_FATAL ?
		 "may not fail: it has no exception table entry for #MC" :
		 "may fail, but the error is of a kind that nothing survives");
}

/**
 * mce_tell_callers() - say who called that load, and what it has met
 * @m:	the error that the machine dies of, or NULL
 *
 * Comes last, with all records of machine checks printed: the page's state and
 * the stack may be bad as well.
 *
 * Context: mce_panic().
 */
void mce_tell_callers(struct mce *m)
{
	struct pt_regs *regs = mce_interrupted();
	struct unwind_state state;
	unsigned long ip;
	int depth = 0;

	if (!is_kernel_site(m))
		return;
	pr_emerg(HW_ERR "Not recovered: it loads from %s\n", page_kind(m));
	if (!regs || regs->ip != m->ip)
		return;
	for (unwind_start(&state, current, regs, NULL);
	     !unwind_done(&state) && depth < SITE_DEPTH;
	     unwind_next_frame(&state)) {
		ip = unwind_get_return_address(&state);
		if (!ip)
			break;
		if (depth++)
			pr_emerg(HW_ERR "Not recovered: called by %pS\n", (void *)ip);
	}
}
