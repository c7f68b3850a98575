/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Poisoned guest memory: what each memory access pays while there is none
 */
#ifndef EXEC_MEM_POISON_H
#define EXEC_MEM_POISON_H

#include "qemu/atomic.h"

extern unsigned mem_poison_nr_lines;

/** mem_poison_present: is there any poison in the machine? */
static inline bool mem_poison_present(void)
{
    return unlikely(qatomic_read(&mem_poison_nr_lines));
}

#endif /* EXEC_MEM_POISON_H */
