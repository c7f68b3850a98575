/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What is left to do in copy_to_nontemporal() after #MC: the good bytes of the
 * round that met it. Entered from the exception handler instead of the place
 * that trapped, in the same frame.
 *
 * Callers take for granted that a copy that comes up short left nothing in the
 * cache, so every byte is written back. There are 64 at most.
 *
 * Input:
 * rdi destination
 * rsi source
 * ecx good bytes, may be 0
 * edx bytes that cannot be copied
 *
 * Output:
 * rax uncopied bytes
 */
#include <linux/linkage.h>
#include <asm/asm.h>

SYM_FUNC_START(copy_nocache_mc_tail)
	testl %ecx, %ecx
	jz 2f
0:	movb (%rsi), %al
1:	movb %al, (%rdi)
	clflush (%rdi)
	incq %rsi
	incq %rdi
	decl %ecx
	jnz 0b
	sfence
2:	leal (%rcx, %rdx), %eax
	RET

	_ASM_EXTABLE_UA(0b, 2b)
	_ASM_EXTABLE_UA(1b, 2b)
SYM_FUNC_END(copy_nocache_mc_tail)
