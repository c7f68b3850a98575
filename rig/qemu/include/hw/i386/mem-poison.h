/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The memory-poison device: what the machine and the CPU need of it
 */
#ifndef HW_I386_MEM_POISON_H
#define HW_I386_MEM_POISON_H

#include "exec/hwaddr.h"
#include "exec/vaddr.h"
#include "hw/acpi/bios-linker-loader.h"
#include "hw/core/cpu.h"

#define TYPE_MEM_POISON "memory-poison"

/* How a CPU came to consume poison; the guest reads these numbers. */
typedef enum MemPoisonKind {
    MEM_POISON_LOAD = 0,
    MEM_POISON_FETCH = 1,
    MEM_POISON_WALK = 2,
} MemPoisonKind;

/**
 * struct MemPoisonRecord: one consumption
 * @phys: physical address of the first poisoned byte that was touched
 * @virt: its virtual address; for a page walk, the same as @phys
 * @rip: instruction that touched it
 * @cpu: index of the CPU
 * @cpl: its privilege level
 * @kind: load, fetch or walk
 */
typedef struct MemPoisonRecord {
    uint64_t phys;
    uint64_t virt;
    uint64_t rip;
    uint16_t cpu;
    uint8_t cpl;
    uint8_t kind;
} MemPoisonRecord;

/**
 * struct MemPoisonReport: what a machine check for poison leaves out
 * @no_addrv: the bank has no address
 * @page_lsb: the address is good to a page only (Intel)
 * @no_ripv: the program cannot be restarted
 * @no_eipv: RIP has nothing to do with the error
 */
typedef struct MemPoisonReport {
    bool no_addrv;
    bool page_lsb;
    bool no_ripv;
    bool no_eipv;
} MemPoisonReport;

extern MemPoisonReport mem_poison_report;

/** x86_cpu_signal_mce: send @cs a #MC that has nothing to report */
void x86_cpu_signal_mce(CPUState *cs);

/** mem_poison_log: add a consumption to the log that the guest can read */
void mem_poison_log(const MemPoisonRecord *record);

/**
 * mem_poison_build_einj: add the ACPI EINJ table
 *
 * Does nothing on a machine without the device.
 */
void mem_poison_build_einj(GArray *table_offsets, GArray *table_data,
                           BIOSLinker *linker, const char *oem_id);

#endif /* HW_I386_MEM_POISON_H */
