/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Exception table entries that refer to a descriptor.
 *
 * The third word of an entry is either an EX_TYPE_* value, shifted left by one
 * with bit 0 set, or, with bit 0 clear, the distance from that word to a
 * struct ex_desc. Both kinds take twelve bytes and are sorted and searched
 * alike. A type number is right where the recovery needs no policy; a
 * descriptor is right where it does, such as for #MC in a copy routine.
 */
#ifndef _ASM_X86_EXTABLE_DESC_H
#define _ASM_X86_EXTABLE_DESC_H

/* Bit 0 of exception_table_entry::data: set for a type, clear for a descriptor */
#define EX_DATA_IS_TYPE			1

#ifdef __ASSEMBLY__

/**
 * _ASM_EXTABLE_DESC() - exception table entry with a descriptor, for assembly
 * @from:	label of the instruction that may trap
 * @to:		label to go on at; must be code of the same function
 * @desc:	symbol of a struct ex_desc
 */
#define _ASM_EXTABLE_DESC(from, to, desc)		\
	.pushsection "__ex_table", "a" ;		\
	.balign 4 ;					\
	.long (from) - . ;				\
	.long (to) - . ;				\
	.long (desc) - . ;				\
	.popsection

#else /* !__ASSEMBLY__ */

#include <linux/types.h>

struct exception_table_entry;
struct pt_regs;

/* The same for inline assembly; @desc is the bare name of the symbol. */
#define _ASM_EXTABLE_DESC(from, to, desc)		\
	" .pushsection \"__ex_table\", \"a\"\n"		\
	" .balign 4\n"					\
	" .long (" #from ") - .\n"			\
	" .long (" #to ") - .\n"			\
	" .long (" #desc ") - .\n"			\
	" .popsection\n"

/*
 * Keep the distance to the descriptor right when sorting moves an entry by
 * @delta bytes; a type stays as it is.
 */
static inline int ex_data_moved(int data, int delta)
{
	return data & EX_DATA_IS_TYPE ? data : data + delta;
}

/**
 * struct ex_info - what is known about the trap
 * @trapnr:	vector, X86_TRAP_*
 * @error_code:	error code that the CPU pushed, 0 if the vector has none
 * @fault_addr:	CR2 for #PF, else 0
 * @mc_addr:	for #MC: physical address of the error
 * @mc_lsb:	for #MC: least significant valid bit of @mc_addr
 * @mc_valid:	@mc_addr and @mc_lsb may be used
 */
struct ex_info {
	int		trapnr;
	unsigned long	error_code;
	unsigned long	fault_addr;
	u64		mc_addr;
	u8		mc_lsb;
	bool		mc_valid;
};

/**
 * enum ex_mc_grade - what an exception table entry promises about #MC
 * @EX_MC_FATAL:	nothing
 * @EX_MC_CALLER:	a fixup; its caller takes the page out of service
 * @EX_MC_RECORD:	a fixup; the handler of #MC records the page
 */
enum ex_mc_grade {
	EX_MC_FATAL,
	EX_MC_CALLER,
	EX_MC_RECORD,
};

/**
 * struct ex_desc - policy of an exception table entry
 * @handler:	edits @regs so that the return from the exception goes on
 *		behind the trap; false: this trap is not handled after all.
 *		For #MC it runs NMI-like: no locks, no user access, no printk.
 * @traps:	BIT(X86_TRAP_*) of the vectors that @handler wants
 * @type:	EX_TYPE_* that the entry has for all other vectors
 */
struct ex_desc {
	bool	(*handler)(struct pt_regs *regs, const struct ex_info *info,
			   const struct exception_table_entry *e);
	u32	traps;
	int	type;
};

const struct ex_desc *ex_entry_desc(const struct exception_table_entry *e);
int ex_entry_type(const struct exception_table_entry *e);
/* Where modpost lets an entry refer to: nothing else there is data. */
#define __ex_desc	__section(".rodata.ex_desc")

enum ex_mc_grade ex_mc_grade(unsigned long ip);
bool ex_desc_fixup(const struct exception_table_entry *e, struct pt_regs *regs,
		   const struct ex_info *info);
bool ex_mc_fixup(struct pt_regs *regs, const struct ex_info *info);

#endif /* __ASSEMBLY__ */
#endif /* _ASM_X86_EXTABLE_DESC_H */
