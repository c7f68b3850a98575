/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Exception table entries that refer to a descriptor.
 *
 * The third word of an entry is either an EX_TYPE_* value with its register,
 * flags and immediate, or EX_DATA_DESC plus the distance from that word to a
 * struct ex_desc. The two upper bits tell which: 01 is a descriptor. To a type
 * that would be an immediate of 16384 or more, and no type has one above 8. So a
 * module whose table knows types only, because it was built before there were
 * descriptors, has them read as what they are.
 *
 * Both kinds take twelve bytes and are sorted and searched alike. A type number
 * is right where the recovery needs no policy; a descriptor is right where it
 * does, such as for #MC in a copy routine.
 */
#ifndef _ASM_X86_EXTABLE_DESC_H
#define _ASM_X86_EXTABLE_DESC_H

#include <asm/trapnr.h>

/*
 * exception_table_entry::data of a descriptor: this, and the distance. Entry and
 * descriptor are in the same image, at most 512 MiB apart.
 */
#define EX_DATA_DESC			0x60000000
#define EX_DATA_KIND_MASK		0xc0000000
#define EX_DATA_KIND_DESC		0x40000000
#define EX_DATA_IS_DESC(data)		(((data) & EX_DATA_KIND_MASK) == EX_DATA_KIND_DESC)

/* ex_desc::flags: the caller settles a memory error; else the #MC handler does */
#define EX_DESC_CALLER_SETTLES		1

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
	.long (desc) - . + EX_DATA_DESC ;		\
	.popsection

/**
 * _ASM_EXTABLE_FUNC() - one entry for all instructions of a function
 * @func:	the function; this follows its SYM_FUNC_END()
 * @to:		label to go on at; must be code of the same function
 * @_handler:	ex_desc::handler; lists the function's registers as its input
 * @_traps:	ex_desc::traps
 * @_flags:	ex_desc::flags
 *
 * An instruction that has an entry of its own obeys that one. For functions
 * that save no registers and call nothing, so that the handler knows them from
 * any instruction on. Not for loads of user memory: the page fault code looks
 * for entries of single instructions.
 */
#define _ASM_EXTABLE_FUNC(func, to, _handler, _traps, _flags)	\
	.set .Lex_end, . ;					\
	.set .Lex_func, (func) ;				\
	.pushsection ".rodata.ex_desc", "a" ;			\
	_ASM_ALIGN ;						\
	.set .Lex_desc, . ;					\
	_ASM_PTR _handler ;					\
	.long _traps, EX_TYPE_NONE, .Lex_end - .Lex_func, _flags ;	\
	.popsection ;						\
	_ASM_EXTABLE_DESC(.Lex_func, to, .Lex_desc)

#else /* !__ASSEMBLY__ */

#include <linux/stringify.h>
#include <linux/types.h>

struct exception_table_entry;
struct pt_regs;

/* The same for inline assembly; @desc is the bare name of the symbol. */
#define _ASM_EXTABLE_DESC(from, to, desc)				\
	" .pushsection \"__ex_table\", \"a\"\n"				\
	" .balign 4\n"							\
	" .long (" #from ") - .\n"					\
	" .long (" #to ") - .\n"					\
	" .long (" #desc ") - . + " __stringify(EX_DATA_DESC) "\n"	\
	" .popsection\n"

/*
 * One entry for all instructions of an inline assembly from @from up to @until,
 * that one not included. See _ASM_EXTABLE_FUNC() for what is possible there.
 */
#define _ASM_EXTABLE_RANGE(from, until, to, _handler, _traps, _flags)		\
	" .pushsection \".rodata.ex_desc\", \"a\"\n"				\
	_ASM_ALIGN "\n"								\
	"772: " _ASM_PTR " " #_handler "\n"					\
	" .long " __stringify(_traps) ", " __stringify(EX_TYPE_NONE)		\
	", (" #until ") - (" #from "), " __stringify(_flags) "\n"		\
	" .popsection\n"							\
	_ASM_EXTABLE_DESC(from, to, 772b)

/*
 * Keep the distance to the descriptor right when sorting moves an entry by
 * @delta bytes; a type stays as it is.
 */
static inline int ex_data_moved(int data, int delta)
{
	return EX_DATA_IS_DESC(data) ? data + delta : data;
}

/**
 * struct ex_info - what is known about the trap
 * @trapnr:	vector, X86_TRAP_*
 * @error_code:	error code that the CPU pushed, 0 if the vector has none
 * @fault_addr:	CR2 for #PF, the address for #GP if it is known, else 0
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
 * @type:	EX_TYPE_* that the entry has for all other vectors, and while
 *		the kernel is too young for handlers
 * @len:	bytes of code from the entry's instruction on that it speaks
 *		for; 0 for that instruction alone
 * @flags:	EX_DESC_*
 *
 * The assembly macros above know this layout.
 */
struct ex_desc {
	bool	(*handler)(struct pt_regs *regs, const struct ex_info *info,
			   const struct exception_table_entry *e);
	u32	traps;
	int	type;
	u32	len;
	u32	flags;
};

/* Where modpost lets an entry refer to: nothing else there is data. */
#define __ex_desc	__section(".rodata.ex_desc")

const struct exception_table_entry *ex_search(unsigned long ip);
const struct exception_table_entry *
ex_search_range(const struct exception_table_entry *base, size_t num,
		unsigned long ip);
const struct ex_desc *ex_entry_desc(const struct exception_table_entry *e);
int ex_entry_type(const struct exception_table_entry *e);
enum ex_mc_grade ex_mc_grade(unsigned long ip);
bool ex_desc_fixup(const struct exception_table_entry *e, struct pt_regs *regs,
		   const struct ex_info *info);
bool ex_mc_fixup(struct pt_regs *regs, const struct ex_info *info);

/* The other kind of entry, or what one with a descriptor is to other vectors */
int ex_type_fixup(const struct exception_table_entry *e, struct pt_regs *regs,
		  int trapnr, unsigned long error_code, unsigned long fault_addr);

#endif /* __ASSEMBLY__ */
#endif /* _ASM_X86_EXTABLE_DESC_H */
