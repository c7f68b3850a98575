/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Recovery of copy_to_nontemporal() from #MC, see arch/x86/lib/copy_nocache_mc.c.
 */
#ifndef _ASM_X86_COPY_NOCACHE_MC_H
#define _ASM_X86_COPY_NOCACHE_MC_H

struct ex_desc;

extern const struct ex_desc ex_desc_copy_nocache;

void copy_nocache_mc_tail(void);

#endif /* _ASM_X86_COPY_NOCACHE_MC_H */
