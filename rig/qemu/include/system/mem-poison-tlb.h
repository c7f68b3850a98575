/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Poisoned guest memory: the hook in the softmmu TLB
 */
#ifndef SYSTEM_MEM_POISON_TLB_H
#define SYSTEM_MEM_POISON_TLB_H

#include "accel/tcg/cpu-ops.h"
#include "hw/core/cpu.h"
#include "system/mem-poison.h"

/**
 * tlb_check_poison: check an access to a page that is marked TLB_POISON
 *
 * Does not return if the CPU raises an exception.
 */
static inline void tlb_check_poison(CPUState *cpu, CPUTLBEntryFull *full,
                                    vaddr addr, unsigned size,
                                    MMUAccessType access_type, int mmu_idx,
                                    uintptr_t ra)
{
    if (cpu->cc->tcg_ops->poison_access && size &&
        mem_poison_find(addr + full->xlat_section, size) >= 0) {
        cpu->cc->tcg_ops->poison_access(cpu, full, addr, size, access_type,
                                        mmu_idx, ra);
    }
}

#endif /* SYSTEM_MEM_POISON_TLB_H */
