/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Recovery of copy routines from #MC: what is left to do, and who does it.
 */
#ifndef _ASM_X86_COPY_MC_RECOVER_H
#define _ASM_X86_COPY_MC_RECOVER_H

#include <linux/log2.h>
#include <linux/mm.h>

#include <asm/extable_desc.h>

/* The line that x86 reports and poisons, Intel SDM vol. 3 ch. 16.9.3 */
#define MC_LINE		64

extern const struct ex_desc ex_desc_copy_mc_load;
extern const struct ex_desc ex_desc_copy_mc_store;
extern const struct ex_desc ex_desc_copy_mc_string;	/* rep movsb */

void copy_mc_tail(void);

/**
 * mc_good_ahead() - good bytes between a load and the line that it met
 * @addr:	where the load began, or the first of a group of loads
 * @reach:	bytes behind @addr that may be before the bad line
 * @info:	the machine check
 *
 * The error is known by its physical address, the load by its virtual one. The
 * offset in the page is common to both.
 *
 * Context: any, NMI and #MC included.
 * Return: the number of bytes, 0 if it is not known.
 */
static inline unsigned long mc_good_ahead(unsigned long addr, unsigned long reach,
					  const struct ex_info *info)
{
	unsigned long ahead;

	if (!info->mc_valid || info->mc_lsb > ilog2(MC_LINE))
		return 0;

	/* In the same line, or behind it, this is a large number. */
	ahead = (ALIGN_DOWN(info->mc_addr, MC_LINE) - addr) % PAGE_SIZE;

	return ahead <= reach ? ahead : 0;
}

#endif /* _ASM_X86_COPY_MC_RECOVER_H */
