/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What is left to do in rep_movs_alternative() after #MC: the good bytes in
 * front of the bad line, which the unaligned load that met it would have
 * copied. Entered from the exception handler instead of the place that
 * trapped, in the same frame.
 *
 * Input:
 * rdi destination
 * rsi source
 * rcx good bytes, 0 to 7
 * rax bytes that cannot be copied
 *
 * Output:
 * rcx uncopied bytes
 */
#include <linux/linkage.h>
#include <asm/asm.h>

SYM_FUNC_START(copy_user_mc_tail)
0:	rep movsb
1:	addq %rax, %rcx
	RET

	_ASM_EXTABLE_UA(0b, 1b)
SYM_FUNC_END(copy_user_mc_tail)
