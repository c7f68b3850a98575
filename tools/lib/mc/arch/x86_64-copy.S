/* SPDX-License-Identifier: GPL-2.0 */
/*
 * libmc on x86-64: copies, probes and loads that may fail.
 *
 * A copy returns how many bytes it did not copy. To be exact to the byte without
 * touching anything twice (when a memory error is met, the kernel takes the whole
 * page away, good lines and all), no load may cross the end of a line: sources
 * are aligned first, and what lies in registers when a load faults is stored
 * before the copy ends. A store that faults is finished bytewise: what it had to
 * store has been loaded, so it is not the source that went bad.
 *
 * All routines keep, at each instruction that may fault, in %rcx the number of
 * bytes that are not copied, in %rsi and %rdi where they are and where they go.
 */
#if defined(__CET__)
#include <cet.h>
#else
#define _CET_ENDBR
#endif

#include "mc.h"

/* Tables of this file. The landing pad knows all it needs from registers. */
#define ENTRY(from, to, landing)	MC_ENTRY_IN(mc_own_extable, from, to, landing, 0)
#define ENTRY_KIND(from, to, landing)	\
	MC_ENTRY_IN(mc_own_extable, from, to, landing, MC_KIND_IN(0))

	.text

	.macro	FUNCTION name
	.p2align 6
	.globl	\name
	.type	\name, @function
\name:
	.cfi_startproc
	_CET_ENDBR
	.endm

	.macro	HIDDEN_FUNCTION name
	.hidden	\name
	FUNCTION \name
	.endm

	.macro	END name
	.cfi_endproc
	.size	\name, . - \name
	.endm


/* What the source's address has of a power of two: one load, one store. */
	.macro	STEP n, load, to, store, from, next, left, finish
	test	$\n, %sil
	jz	\next
	cmp	$\n, %rcx
	jb	\next
1:	\load	(%rsi), \to
2:	\store	\from, (%rdi)
3:	ENTRY(1b, 2b, \left)
	ENTRY(2b, 3b, \finish)
	add	$\n, %rsi
	add	$\n, %rdi
	sub	$\n, %rcx
	.endm

/* What the rest's length has of one. */
	.macro	LAST n, load, to, store, from, next, left, finish
	test	$\n, %cl
	jz	\next
1:	\load	(%rsi), \to
2:	\store	\from, (%rdi)
3:	ENTRY(1b, 2b, \left)
	ENTRY(2b, 3b, \finish)
	add	$\n, %rsi
	add	$\n, %rdi
	sub	$\n, %rcx
	.endm

/* Four vectors at a time, then two, then one, from an aligned source. */
	.macro	VECTORS V, aligned, unaligned, v0, v1, v2, v3, left, finish
	cmp	$(4 * \V), %rcx
	jb	5f
	.p2align 5
4:
11:	\aligned	(%rsi), \v0
12:	\aligned	\V(%rsi), \v1
13:	\aligned	(2 * \V)(%rsi), \v2
14:	\aligned	(3 * \V)(%rsi), \v3
15:	\unaligned	\v0, (%rdi)
	\unaligned	\v1, \V(%rdi)
	\unaligned	\v2, (2 * \V)(%rdi)
	\unaligned	\v3, (3 * \V)(%rdi)
16:	ENTRY(11b, 12b, \left)
	ENTRY(12b, 13b, 31f)
	ENTRY(13b, 14b, 32f)
	ENTRY(14b, 15b, 33f)
	ENTRY(15b, 16b, \finish)
	add	$(4 * \V), %rsi
	add	$(4 * \V), %rdi
	sub	$(4 * \V), %rcx
	cmp	$(4 * \V), %rcx
	jae	4b
5:	test	$(2 * \V), %ecx
	jz	6f
21:	\aligned	(%rsi), \v0
22:	\aligned	\V(%rsi), \v1
23:	\unaligned	\v0, (%rdi)
	\unaligned	\v1, \V(%rdi)
24:	ENTRY(21b, 22b, \left)
	ENTRY(22b, 23b, 31f)
	ENTRY(23b, 24b, \finish)
	add	$(2 * \V), %rsi
	add	$(2 * \V), %rdi
	sub	$(2 * \V), %rcx
6:	test	$\V, %ecx
	jz	9f
25:	\aligned	(%rsi), \v0
26:	\unaligned	\v0, (%rdi)
27:	ENTRY(25b, 26b, \left)
	ENTRY(26b, 27b, \finish)
	add	$\V, %rsi
	add	$\V, %rdi
	sub	$\V, %rcx
	jmp	9f

	/* A load faulted when others were in registers. */
33:	mov	$(3 * \V), %eax
41:	\unaligned	\v2, (2 * \V)(%rdi)
	jmp	34f
32:	mov	$(2 * \V), %eax
34:	\unaligned	\v1, \V(%rdi)
	jmp	35f
31:	mov	$\V, %eax
35:	\unaligned	\v0, (%rdi)
42:	ENTRY(41b, 42b, \finish)
	sub	%rax, %rcx
	jmp	\left
9:
	.endm

/* A copy by vectors of V bytes; done is what has to be run before it returns. */
	.macro	COPY name, V, half, aligned, unaligned, v0, v1, v2, v3, done
	HIDDEN_FUNCTION \name
	mov	%rdx, %rcx
	cmp	mc_rep_min(%rip), %rdx
	jae	mc_copy_rep
	test	$(\V - 1), %sil
	jz	.Laligned_\name
	STEP	1, movzbl, %eax, movb, %al, .Lstep2_\name, .Lleft_\name, .Lfinish_\name
.Lstep2_\name:
	STEP	2, movzwl, %eax, movw, %ax, .Lstep4_\name, .Lleft_\name, .Lfinish_\name
.Lstep4_\name:
	STEP	4, movl, %eax, movl, %eax, .Lstep8_\name, .Lleft_\name, .Lfinish_\name
.Lstep8_\name:
	STEP	8, movq, %rax, movq, %rax, .Lstep16_\name, .Lleft_\name, .Lfinish_\name
.Lstep16_\name:
	.if	\V > 16
	STEP	16, \half, %xmm0, \half, %xmm0, .Laligned_\name, .Lleft_\name, .Lfinish_\name
	.endif
.Laligned_\name:
	VECTORS	\V, \aligned, \unaligned, \v0, \v1, \v2, \v3, .Lleft_\name, .Lfinish_\name
	test	%ecx, %ecx
	jz	.Lleft_\name
	.if	\V > 16
	LAST	16, \half, %xmm0, \half, %xmm0, .Llast8_\name, .Lleft_\name, .Lfinish_\name
	.endif
.Llast8_\name:
	LAST	8, movq, %rax, movq, %rax, .Llast4_\name, .Lleft_\name, .Lfinish_\name
.Llast4_\name:
	LAST	4, movl, %eax, movl, %eax, .Llast2_\name, .Lleft_\name, .Lfinish_\name
.Llast2_\name:
	LAST	2, movzwl, %eax, movw, %ax, .Llast1_\name, .Lleft_\name, .Lfinish_\name
.Llast1_\name:
	LAST	1, movzbl, %eax, movb, %al, .Lleft_\name, .Lleft_\name, .Lfinish_\name
.Lleft_\name:
	\done
	mov	%rcx, %rax
	ret
.Lfinish_\name:
	\done
	jmp	mc_copy_rep
	END \name
	.endm

/*
 * The string instruction faults at the byte, and knows what is left. Fast where
 * the CPU says so (ERMS, FSRM).
 */
HIDDEN_FUNCTION mc_copy_erms
	mov	%rdx, %rcx
mc_copy_rep:
1:	rep movsb
2:	ENTRY(1b, 2b, 2b)
	mov	%rcx, %rax
	ret
END mc_copy_erms

COPY mc_copy_sse2, 16, movups, movaps, movups, %xmm0, %xmm1, %xmm2, %xmm3
COPY mc_copy_avx2, 32, vmovups, vmovaps, vmovups, %ymm0, %ymm1, %ymm2, %ymm3, vzeroupper

/*
 * With AVX-512 a vector is a line, and its masks make head and tail one load and
 * one store each: what is masked does not fault. The registers from 16 on need no
 * vzeroupper.
 *
 * Where source and destination are not aligned alike, stores that cross lines
 * would be slow. So each line is loaded as it is first, and kept in case the next
 * one cannot be; then what belongs into a line of the destination is loaded across
 * two of them, both of which are known to be good, and stored aligned.
 *
 * There, %zmm16 is the last line, %rdi where it goes to, %rsi and %rcx are behind
 * it; %rdx is the next line to be stored, and %rsi + %r9 what goes there.
 */
HIDDEN_FUNCTION mc_copy_avx512
	mov	%rdx, %rcx
	cmp	mc_rep_min(%rip), %rdx
	jae	mc_copy_rep
	test	$63, %sil
	jnz	.Lhead_avx512
.Lsource_avx512:
	cmp	$512, %rcx
	jae	.Llong_avx512
.Laligned_avx512:
	VECTORS	64, vmovdqa64, vmovdqu64, %zmm16, %zmm17, %zmm18, %zmm19, .Lleft_avx512, mc_copy_rep
	test	%ecx, %ecx
	jnz	.Ltail_avx512
	xor	%eax, %eax
	ret
.Ltail_avx512:
	mov	$-1, %rax
	bzhi	%rcx, %rax, %rax
	kmovq	%rax, %k1
1:	vmovdqu8	(%rsi), %zmm16{%k1}{z}
2:	vmovdqu8	%zmm16, (%rdi){%k1}
3:	ENTRY(1b, 2b, .Lleft_avx512)
	ENTRY(2b, 3b, mc_copy_rep)
	xor	%eax, %eax
	ret
	/* To the end of the source's line, or of the copy. */
.Lhead_avx512:
	mov	%esi, %edx
	neg	%edx
	and	$63, %edx
	cmp	%rcx, %rdx
	cmova	%rcx, %rdx
	mov	$-1, %rax
	bzhi	%rdx, %rax, %rax
	kmovq	%rax, %k1
1:	vmovdqu8	(%rsi), %zmm16{%k1}{z}
2:	vmovdqu8	%zmm16, (%rdi){%k1}
3:	ENTRY(1b, 2b, .Lleft_avx512)
	ENTRY(2b, 3b, mc_copy_rep)
	add	%rdx, %rsi
	add	%rdx, %rdi
	sub	%rdx, %rcx
	jnz	.Lsource_avx512
.Lleft_avx512:
	mov	%rcx, %rax
	ret

.Llong_avx512:
	mov	%edi, %edx
	neg	%edx
	and	$63, %edx
	jz	.Laligned_avx512
1:	vmovdqa64	(%rsi), %zmm16
2:	vmovdqu64	%zmm16, (%rdi)
3:	ENTRY(1b, 2b, .Lleft_avx512)
	ENTRY(2b, 3b, mc_copy_rep)
	lea	-64(%rdx), %r9
	add	%rdi, %rdx
	add	$64, %rsi
	sub	$64, %rcx
	.p2align 5
4:
11:	vmovdqa64	(%rsi), %zmm17
12:	vmovdqa64	64(%rsi), %zmm18
13:	vmovdqa64	128(%rsi), %zmm19
14:	vmovdqa64	192(%rsi), %zmm20
15:	ENTRY(11b, 12b, 31f)
	ENTRY(12b, 13b, 32f)
	ENTRY(13b, 14b, 33f)
	ENTRY(14b, 15b, 34f)
16:	vmovdqu64	(%rsi, %r9), %zmm21
	vmovdqu64	64(%rsi, %r9), %zmm22
	vmovdqu64	128(%rsi, %r9), %zmm23
	vmovdqu64	192(%rsi, %r9), %zmm24
17:	ENTRY(16b, 17b, 34f)
	vmovdqa64	%zmm21, (%rdx)
	vmovdqa64	%zmm22, 64(%rdx)
	vmovdqa64	%zmm23, 128(%rdx)
	vmovdqa64	%zmm24, 192(%rdx)
18:	ENTRY(17b, 18b, .Lfinish_avx512)
	vmovdqa64	%zmm20, %zmm16
	add	$256, %rsi
	add	$256, %rdi
	add	$256, %rdx
	sub	$256, %rcx
	cmp	$256, %rcx
	jae	4b
	/* The last line as a whole, over what there is of it; what is left is aligned. */
6:	vmovdqu64	%zmm16, (%rdi)
7:	ENTRY(6b, 7b, .Lfinish_avx512)
	add	$64, %rdi
	jmp	.Laligned_avx512
	/* A load faulted when so many lines were in registers. */
34:	mov	$192, %eax
41:	vmovdqu64	%zmm19, 192(%rdi)
	jmp	35f
33:	mov	$128, %eax
35:	vmovdqu64	%zmm18, 128(%rdi)
	jmp	36f
32:	mov	$64, %eax
36:	vmovdqu64	%zmm17, 64(%rdi)
	jmp	37f
31:	xor	%eax, %eax
37:	vmovdqu64	%zmm16, (%rdi)
42:	ENTRY(41b, 42b, .Lfinish_avx512)
	sub	%rax, %rcx
	jmp	.Lleft_avx512
.Lfinish_avx512:
	sub	$64, %rsi
	add	$64, %rcx
	jmp	mc_copy_rep
END mc_copy_avx512

/* size_t mc_memcpy(void *dst, const void *src, size_t len) */
FUNCTION mc_memcpy
	jmp	*mc_copy(%rip)
END mc_memcpy

/* size_t mc_probe(const void *addr, size_t len): a byte of each line */
FUNCTION mc_probe
	mov	%rdi, %rdx
	add	%rsi, %rdx
	mov	%rdx, %r8
	jnc	3f
	/* Beyond the end of memory; there is something that cannot be read before. */
	mov	$-1, %r8
3:	test	%rsi, %rsi
	jz	4f
1:	movzbl	(%rdi), %ecx
2:	ENTRY(1b, 2b, 5f)
	and	$-64, %rdi
	add	$64, %rdi
	cmp	%r8, %rdi
	jb	1b
4:	xor	%eax, %eax
	ret
5:	mov	%rdx, %rax
	sub	%rdi, %rax
	ret
END mc_probe

/* int mc_load64(const void *addr, uint64_t *val) and its smaller siblings */
	.macro	LOADER name, load, to, store, from
FUNCTION \name
1:	\load	(%rdi), \to
2:	ENTRY_KIND(1b, 2b, 3f)
	\store	\from, (%rsi)
	xor	%eax, %eax
3:	ret
END \name
	.endm

LOADER mc_load8, movzbl, %eax, movb, %al
LOADER mc_load16, movzwl, %eax, movw, %ax
LOADER mc_load32, movl, %eax, movl, %eax
LOADER mc_load64, movq, %rax, movq, %rax

	.section .note.GNU-stack, "", @progbits
