/* SPDX-License-Identifier: GPL-2.0 */
/* The assembly's side of shim.h. */
#ifndef COPYLOOPS_SHIM_S
#define COPYLOOPS_SHIM_S

#define __ASSEMBLY__

/* As a return thunk that counts does; not where time is measured. */
#ifdef SHIM_SHIFT
#define RET			ret
#else
#define RET			test %rsp, %rsp ; ret
#endif
#define ENDBR
#define SYM_CODE_START(name)	.globl name ; name:
#define SYM_CODE_END(name)
#define SYM_FUNC_START(name)	.globl name ; .type name, @function ;	\
				.p2align 6 ; .fill SHIM_SHIFT, 1, 0x90 ; name:
#define SYM_FUNC_END(name)	.size name, . - name
#define SYM_TYPED_FUNC_START(name)	SYM_FUNC_START(name)
#define SYM_FUNC_START_LOCAL(name)	.p2align 4 ; .type name, @function ; name:
#define SYM_FUNC_ALIAS_MEMFUNC(alias, name)

/* Where in a line functions begin: for bench-copy. */
#ifndef SHIM_SHIFT
#define SHIM_SHIFT		0
#endif

.macro UNWIND_HINT sp_reg sp_offset type
.endm

.macro ALTERNATIVE old new feature
.if (SHIM_FEATURES >> \feature) & 1
	\new
.else
	\old
.endif
.endm

.section .note.GNU-stack, "", @progbits
.text

#endif /* COPYLOOPS_SHIM_S */
