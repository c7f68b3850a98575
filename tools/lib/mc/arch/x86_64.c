// SPDX-License-Identifier: GPL-2.0
/*
 * libmc on x86-64: which copy routine is the fastest here.
 *
 * For small copies the widest vectors are, as in memcpy(); from a few kilobytes
 * on, string instructions are, where the CPU has them fast (ERMS).
 */
#include <cpuid.h>
#include <stdint.h>
#include <string.h>

#include "../internal.h"

mc_copy_fn mc_copy_sse2, mc_copy_avx2, mc_copy_avx512, mc_copy_erms;

/* From this length on a copy is a string instruction. */
size_t mc_rep_min MC_HIDDEN = SIZE_MAX;
mc_copy_fn *mc_copy MC_HIDDEN = mc_copy_sse2;

#define LEAF7_EBX_AVX2		(1U << 5)
#define LEAF7_EBX_BMI2		(1U << 8)
#define LEAF7_EBX_ERMS		(1U << 9)
#define LEAF7_EBX_AVX512BW	(1U << 30)
#define LEAF7_EBX_AVX512VL	(1U << 31)
#define LEAF1_ECX_OSXSAVE	(1U << 27)

/* What the kernel saves of a thread: xmm and ymm; masks, zmm, and 16 more of them. */
#define XCR0_YMM		0x6U
#define XCR0_AVX512		0xe6U

static unsigned int xcr0(void)
{
	unsigned int eax, edx;

	__asm__ volatile("xgetbv" : "=a" (eax), "=d" (edx) : "c" (0));
	return eax;
}

bool mc_copy_choose(const char *name)
{
	unsigned int eax, ebx = 0, ecx, edx = 0, xstate = 0;
	bool erms, avx2, avx512;

	if (__get_cpuid(1, &eax, &ebx, &ecx, &edx) && (ecx & LEAF1_ECX_OSXSAVE))
		xstate = xcr0();
	if (!__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx))
		ebx = 0;
	erms = ebx & LEAF7_EBX_ERMS;
	avx2 = (ebx & LEAF7_EBX_AVX2) && (xstate & XCR0_YMM) == XCR0_YMM;
	avx512 = avx2 && (ebx & LEAF7_EBX_AVX512VL) && (ebx & LEAF7_EBX_AVX512BW) &&
	       (ebx & LEAF7_EBX_BMI2) && (xstate & XCR0_AVX512) == XCR0_AVX512;

	if (!name) {
		mc_copy = avx512 ? mc_copy_avx512 : avx2 ? mc_copy_avx2 : mc_copy_sse2;
		mc_rep_min = erms ? MC_REP_MIN : SIZE_MAX;
		return true;
	}
	mc_rep_min = SIZE_MAX;
	if (!strcmp(name, "avx512") && avx512)
		mc_copy = mc_copy_avx512;
	else if (!strcmp(name, "avx2") && avx2)
		mc_copy = mc_copy_avx2;
	else if (!strcmp(name, "sse2"))
		mc_copy = mc_copy_sse2;
	else if (!strcmp(name, "erms"))
		mc_copy = mc_copy_erms;
	else
		return false;
	return true;
}

/* Before main(); until then the routine is one that runs everywhere. */
__attribute__((constructor))
static void choose(void)
{
	mc_copy_choose(NULL);
}
