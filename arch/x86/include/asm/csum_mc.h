/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Recovery of csum_partial() from #MC, see arch/x86/lib/csum_mc.c.
 */
#ifndef _ASM_X86_CSUM_MC_H
#define _ASM_X86_CSUM_MC_H

#include <linux/bits.h>
#include <asm/asm.h>
#include <asm/extable_desc.h>

#ifdef CONFIG_UML

/* It has the function, and never a machine check. */
#include <asm/word-at-a-time.h>

#define CSUM_MC_BEGIN
#define CSUM_MC_END
#define csum_mc_load_tail	load_unaligned_zeropad

#else

/* Around the loads of an asm statement in csum_partial() */
#define CSUM_MC_BEGIN	"881:\n\t"
#define CSUM_MC_END	"\n882:\n"						\
	_ASM_EXTABLE_RANGE(881b, 882b, 882b, ex_mc_csum,		\
			   (1 << 18) | (1 << 14), 0)

extern const struct ex_desc ex_desc_csum_tail;

/**
 * csum_mc_load_tail() - load the last word for csum_partial()
 * @addr:	address of its first byte
 *
 * Like load_unaligned_zeropad(), and in the same instruction, only that it
 * recovers from #MC.
 *
 * Return: the word; zeroes where no page is mapped behind the first byte, and
 * in a bad line behind that of the first byte.
 */
static __always_inline unsigned long csum_mc_load_tail(const void *addr)
{
	unsigned long word;

	asm volatile("881: mov %[mem], %[word]\n"
		     "882:\n"
		     _ASM_EXTABLE_DESC(881b, 882b, ex_desc_csum_tail)
		     : [word] "=r" (word)
		     : [mem] "m" (*(const unsigned long *)addr));

	return word;
}

bool ex_mc_csum(struct pt_regs *regs, const struct ex_info *info,
		const struct exception_table_entry *e);
void csum_mc_return(void);

#endif /* CONFIG_UML */

#endif /* _ASM_X86_CSUM_MC_H */
