/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __X86_MM_EXTABLE_BOUNDS_H
#define __X86_MM_EXTABLE_BOUNDS_H

#include <asm/extable.h>

/* The kernel's own table, as the linker script has it */
extern struct exception_table_entry __start___ex_table[];
extern struct exception_table_entry __stop___ex_table[];

#endif /* __X86_MM_EXTABLE_BOUNDS_H */
