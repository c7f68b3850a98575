/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Recovery of the user copy routines from #MC, see arch/x86/lib/copy_user_mc.c.
 */
#ifndef _ASM_X86_COPY_USER_MC_H
#define _ASM_X86_COPY_USER_MC_H

struct ex_desc;

extern const struct ex_desc ex_desc_copy_user_movq;	/* movq (%rsi), %rax */
extern const struct ex_desc ex_desc_copy_user_movsq;	/* rep movsq */

void copy_user_mc_tail(void);

#endif /* _ASM_X86_COPY_USER_MC_H */
