// SPDX-License-Identifier: GPL-2.0
/* A shared object that has an exception table. */
#include "mc.h"

MC_REGISTER_TABLE();

__attribute__((visibility("default"))) int plugin_peek(const void *p);

int plugin_peek(const void *p)
{
	int val, kind = 0;

	__asm__ volatile("1: movzbl (%[p]), %[val]\n"
			 "2:\n\t"
			 MC_ENTRY(1b, 2b, 2b, MC_KIND_IN(0))
			 : "+a" (kind), [val] "=&r" (val) : [p] "r" (p) : "memory");
	return kind ? -2 : val;
}
