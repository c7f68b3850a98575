/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The alias of the direct map, see arch/x86/mm/hwpoison_alias.c.
 */
#ifndef _ASM_X86_HWPOISON_ALIAS_H
#define _ASM_X86_HWPOISON_ALIAS_H

#include <linux/types.h>

struct pt_regs;

#if defined(CONFIG_MEMORY_FAILURE) && defined(CONFIG_X86_64)
bool hwpoison_alias_in_use(const struct pt_regs *regs);
bool hwpoison_alias_replace(u64 phys);
void hwpoison_alias_split(unsigned long address);
#else
static inline bool hwpoison_alias_in_use(const struct pt_regs *regs) { return false; }
static inline bool hwpoison_alias_replace(u64 phys) { return false; }
static inline void hwpoison_alias_split(unsigned long address) { }
#endif

#endif /* _ASM_X86_HWPOISON_ALIAS_H */
