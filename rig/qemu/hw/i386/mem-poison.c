/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The memory-poison device: poisons lines of guest RAM
 *
 * It has two faces. The outside uses QOM properties (arm, heal, lines). The
 * guest has a page of registers, which holds a log of what was consumed, and
 * the registers that an ACPI EINJ table describes, so that the stock driver of
 * an operating system injects errors as it does on a server.
 *
 * rig/qemu/poison-pc.rst has the register map and what is modelled.
 */
#include "qemu/osdep.h"
#include "qemu/error-report.h"
#include "qemu/lockable.h"
#include "qapi/error.h"
#include "qapi/qapi-builtin-visit.h"
#include "qapi/visitor.h"
#include "exec/address-spaces.h"
#include "exec/cputlb.h"
#include "exec/exec-all.h"
#include "hw/acpi/acpi-defs.h"
#include "hw/acpi/aml-build.h"
#include "hw/core/cpu.h"
#include "hw/qdev-properties.h"
#include "hw/i386/mem-poison.h"
#include "migration/vmstate.h"
#include "system/mem-poison.h"
#include "system/reset.h"
#include "system/tcg.h"

#define MEM_POISON_BASE   0xfef00000u
#define MEM_POISON_MAGIC  0x43504e4f53494f50ull   /* "POISONPC" */
#define LOG_CAPACITY      64

/* Registers of the page, 64 bits each */
enum {
    REG_MAGIC        = 0x000,
    REG_CONSUMED     = 0x008,
    REG_LINES        = 0x010,
    REG_RECORDS      = 0x018,
    REG_CAPACITY     = 0x020,
    REG_HEALED       = 0x028,
    REG_DMA_REFUSED  = 0x030,
    REG_LEFT_OUT     = 0x038,
    REG_LATENT       = 0x040,

    REG_EINJ_STATE   = 0x100,
    REG_EINJ_TYPE    = 0x108,
    REG_EINJ_CAPS    = 0x110,
    REG_EINJ_EXECUTE = 0x118,
    REG_EINJ_BUSY    = 0x120,
    REG_EINJ_STATUS  = 0x128,
    REG_EINJ_TRIGGER = 0x130,
    REG_EINJ_TIMINGS = 0x138,
    REG_EINJ_PARAM   = 0x180,   /* SET_ERROR_TYPE_WITH_ADDRESS structure */
    EINJ_PARAM_SIZE  = 0x28,
    TRIGGER_TABLE    = 0x200,

    LOG              = 0x800,
    LOG_RECORD_SIZE  = 32,
};

/* ACPI 6.5, 18.6: error injection actions, instructions, types and status */
enum {
    EINJ_BEGIN = 0,
    EINJ_GET_TRIGGER_TABLE,
    EINJ_SET_ERROR_TYPE,
    EINJ_GET_ERROR_TYPE,
    EINJ_END,
    EINJ_EXECUTE,
    EINJ_CHECK_BUSY,
    EINJ_GET_STATUS,
    EINJ_SET_TYPE_WITH_ADDRESS,
    EINJ_GET_TIMINGS,
};

enum {
    EINJ_READ = 0,
    EINJ_READ_VALUE,
    EINJ_WRITE,
    EINJ_WRITE_VALUE,
};

#define EINJ_TYPE_MEMORY_UC     0x10
#define EINJ_FLAG_ADDRESS       0x02

enum {
    EINJ_SUCCESS = 0,
    EINJ_UNKNOWN_FAILURE = 1,
    EINJ_INVALID_ACCESS = 2,
};

OBJECT_DECLARE_SIMPLE_TYPE(MemPoisonState, MEM_POISON)

struct MemPoisonState {
    DeviceState parent_obj;

    MemoryRegion regs;
    bool lax_stores;
    bool keep_on_reset;

    /* What machine checks leave out, by order of QMP and of the guest */
    uint64_t left_out;
    uint64_t guest_left_out;

    /* Protects the log: CPUs write it without the BQL. */
    QemuMutex log_lock;
    uint64_t consumed;
    uint8_t log[LOG_CAPACITY * LOG_RECORD_SIZE];

    uint64_t einj_type;
    uint64_t einj_status;
    uint64_t einj_begun;
    uint8_t einj_param[EINJ_PARAM_SIZE];
    /* Some CPU may still use a translation from before the injection. */
    bool busy;

    /* The line table on its way through a migration stream */
    int32_t nr_pages;
    MemPoisonPage *pages;
};

static MemPoisonState *the_device;

/*
 * Find the RAM at a physical address. Read-only memory and memory that belongs
 * to a device cannot be poisoned.
 */
static bool ram_at(hwaddr phys, ram_addr_t *ram, Error **errp)
{
    MemoryRegionSection section =
        memory_region_find(get_system_memory(),
                           ROUND_DOWN(phys, MEM_POISON_LINE_SIZE),
                           MEM_POISON_LINE_SIZE);
    bool ok = section.mr && memory_region_is_ram(section.mr) &&
              !memory_region_is_ram_device(section.mr) && !section.readonly &&
              int128_eq(section.size, int128_make64(MEM_POISON_LINE_SIZE));

    if (ok) {
        *ram = memory_region_get_ram_addr(section.mr) +
               section.offset_within_region;
    } else {
        error_setg(errp, "0x%" HWADDR_PRIx " is not RAM", phys);
    }
    if (section.mr) {
        memory_region_unref(section.mr);
    }
    return ok;
}

static void flush_cpu(CPUState *cs, run_on_cpu_data unused)
{
    tlb_flush(cs);
}

/*
 * Poison a line. Pages that hold poison are marked when they enter a TLB, so
 * the caller sees to it that the TLBs are flushed afterwards.
 */
static bool poison(hwaddr phys, Error **errp)
{
    ram_addr_t ram;

    if (!ram_at(phys, &ram, errp)) {
        return false;
    }
    mem_poison_add(ram, ROUND_DOWN(phys, MEM_POISON_LINE_SIZE));
    /* What was translated from the line has to be fetched again. */
    tb_invalidate_phys_range(ram, ram + MEM_POISON_LINE_SIZE - 1);
    return true;
}

static void mem_poison_set_arm(Object *obj, Visitor *v, const char *name,
                               void *opaque, Error **errp)
{
    CPUState *cs;
    uint64_t phys;

    if (!visit_type_uint64(v, name, &phys, errp)) {
        return;
    }
    if (!DEVICE(obj)->realized) {
        error_setg(errp, "a line can be armed once the machine is there");
        return;
    }
    if (!poison(phys, errp)) {
        return;
    }
    CPU_FOREACH(cs) {
        run_on_cpu(cs, flush_cpu, RUN_ON_CPU_NULL);
    }
}

static void mem_poison_set_heal(Object *obj, Visitor *v, const char *name,
                                void *opaque, Error **errp)
{
    ram_addr_t ram;
    uint64_t phys;

    if (!visit_type_uint64(v, name, &phys, errp) ||
        !ram_at(phys, &ram, errp)) {
        return;
    }
    if (!mem_poison_remove(ram)) {
        error_setg(errp, "the line at 0x%" HWADDR_PRIx " is not poisoned",
                   phys);
    }
}

static int compare_pages(const void *a, const void *b)
{
    const MemPoisonPage *pa = a, *pb = b;

    return pa->phys < pb->phys ? -1 : pa->phys > pb->phys;
}

static void mem_poison_get_lines(Object *obj, Visitor *v, const char *name,
                                 void *opaque, Error **errp)
{
    g_autofree MemPoisonPage *pages = NULL;
    g_autoptr(uint64List) list = NULL;
    uint64List **tail = &list;
    unsigned i, line, n = mem_poison_snapshot(&pages);

    qsort(pages, n, sizeof(*pages), compare_pages);
    for (i = 0; i < n; i++) {
        for (line = 0; line < 64; line++) {
            if (extract64(pages[i].lines, line, 1)) {
                QAPI_LIST_APPEND(tail, pages[i].phys +
                                       line * MEM_POISON_LINE_SIZE);
            }
        }
    }
    visit_type_uint64List(v, name, &list, errp);
}

static void mem_poison_get_consumed(Object *obj, Visitor *v, const char *name,
                                    void *opaque, Error **errp)
{
    MemPoisonState *s = MEM_POISON(obj);
    uint64_t n = qatomic_read(&s->consumed);

    visit_type_uint64(v, name, &n, errp);
}

static void mem_poison_set_signal(Object *obj, Visitor *v, const char *name,
                                  void *opaque, Error **errp)
{
    CPUState *cs;
    uint32_t n;

    if (!visit_type_uint32(v, name, &n, errp)) {
        return;
    }
    cs = qemu_get_cpu(n);
    if (!cs) {
        error_setg(errp, "there is no CPU %u", n);
        return;
    }
    x86_cpu_signal_mce(cs);
}

/* Gets and sets: the visitor knows which. */
static void mem_poison_visit_left_out(Object *obj, Visitor *v, const char *name,
                                      void *opaque, Error **errp)
{
    MemPoisonState *s = MEM_POISON(obj);
    uint64_t bit = (uintptr_t)opaque;
    bool on = s->left_out & bit;

    if (visit_type_bool(v, name, &on, errp)) {
        qatomic_set(&s->left_out, on ? s->left_out | bit : s->left_out & ~bit);
    }
}

uint64_t mem_poison_left_out(void)
{
    MemPoisonState *s = the_device;

    return qatomic_read(&s->left_out) | qatomic_read(&s->guest_left_out);
}

void mem_poison_log(const MemPoisonRecord *r)
{
    MemPoisonState *s = the_device;
    uint8_t *p;

    QEMU_LOCK_GUARD(&s->log_lock);
    p = s->log + s->consumed % LOG_CAPACITY * LOG_RECORD_SIZE;
    stq_le_p(p, r->phys);
    stq_le_p(p + 8, r->virt);
    stq_le_p(p + 16, r->rip);
    stl_le_p(p + 24, s->consumed);
    stw_le_p(p + 28, r->cpu);
    stb_p(p + 30, r->cpl);
    stb_p(p + 31, r->kind);
    qatomic_set(&s->consumed, s->consumed + 1);
}

static void einj_done(CPUState *cs, run_on_cpu_data data)
{
    MemPoisonState *s = data.host_ptr;

    s->busy = false;
}

static uint64_t einj_execute(MemPoisonState *s)
{
    CPUState *cs = current_cpu ? current_cpu : first_cpu;
    uint32_t type = ldl_le_p(s->einj_param);
    uint32_t flags = ldl_le_p(s->einj_param + 8);
    uint64_t address = ldq_le_p(s->einj_param + 16);

    if ((type ? type : s->einj_type) != EINJ_TYPE_MEMORY_UC) {
        return EINJ_UNKNOWN_FAILURE;
    }
    /*
     * The range mask (at +24) gives the platform a choice of addresses. One
     * injection is one error; it goes where the address says.
     */
    if (!(flags & EINJ_FLAG_ADDRESS) || !poison(address, NULL)) {
        return EINJ_INVALID_ACCESS;
    }
    /*
     * This CPU is in the middle of a block of translated code, so it cannot
     * wait here: stay busy until it and the others have a clean TLB.
     */
    s->busy = true;
    tlb_flush_all_cpus_synced(cs);
    async_safe_run_on_cpu(cs, einj_done, RUN_ON_CPU_HOST_PTR(s));
    return EINJ_SUCCESS;
}

static uint64_t read_reg(MemPoisonState *s, hwaddr reg)
{
    switch (reg) {
    case REG_MAGIC:
        return MEM_POISON_MAGIC;
    case REG_CONSUMED:
    case REG_RECORDS:
        return qatomic_read(&s->consumed);
    case REG_LINES:
        return qatomic_read(&mem_poison_nr_lines);
    case REG_CAPACITY:
        return LOG_CAPACITY;
    case REG_HEALED:
        return qatomic_read(&mem_poison_stats.healed);
    case REG_DMA_REFUSED:
        return qatomic_read(&mem_poison_stats.dma_refused);
    case REG_LEFT_OUT:
        return mem_poison_left_out();
    case REG_EINJ_STATE:
        return s->einj_begun;
    case REG_EINJ_TYPE:
        return s->einj_type;
    case REG_EINJ_CAPS:
        return EINJ_TYPE_MEMORY_UC;
    case REG_EINJ_BUSY:
        return s->busy;
    case REG_EINJ_STATUS:
        /* Bit 0 is reserved. */
        return s->einj_status << 1;
    case REG_EINJ_TRIGGER:
        return MEM_POISON_BASE + TRIGGER_TABLE;
    case TRIGGER_TABLE:
    case TRIGGER_TABLE + 8:
        /*
         * Header size 16, revision 0; table size 16, no entries: poison waits
         * to be consumed and needs no trigger.
         */
        return 16;
    default:
        return 0;
    }
}

static uint64_t mem_poison_read(void *opaque, hwaddr addr, unsigned size)
{
    MemPoisonState *s = opaque;
    uint8_t reg[16];

    if (addr >= LOG && addr + size <= LOG + sizeof(s->log)) {
        QEMU_LOCK_GUARD(&s->log_lock);
        return ldn_le_p(s->log + (addr - LOG), size);
    }
    if (addr >= REG_EINJ_PARAM &&
        addr + size <= REG_EINJ_PARAM + EINJ_PARAM_SIZE) {
        return ldn_le_p(s->einj_param + (addr - REG_EINJ_PARAM), size);
    }
    stq_le_p(reg, read_reg(s, ROUND_DOWN(addr, 8)));
    stq_le_p(reg + 8, read_reg(s, ROUND_DOWN(addr, 8) + 8));
    return ldn_le_p(reg + addr % 8, size);
}

static void mem_poison_write(void *opaque, hwaddr addr, uint64_t value,
                             unsigned size)
{
    MemPoisonState *s = opaque;

    if (addr >= REG_EINJ_PARAM &&
        addr + size <= REG_EINJ_PARAM + EINJ_PARAM_SIZE) {
        stn_le_p(s->einj_param + (addr - REG_EINJ_PARAM), size, value);
        return;
    }
    switch (addr) {
    case REG_LEFT_OUT:
        qatomic_set(&s->guest_left_out, value);
        break;
    case REG_LATENT:
        if (current_cpu) {
            x86_cpu_log_latent(current_cpu, value);
        }
        break;
    case REG_EINJ_STATE:
        s->einj_begun = value & 1;
        memset(s->einj_param, 0, sizeof(s->einj_param));
        s->einj_type = 0;
        break;
    case REG_EINJ_TYPE:
        s->einj_type = value;
        break;
    case REG_EINJ_EXECUTE:
        s->einj_status = einj_execute(s);
        break;
    }
}

static const MemoryRegionOps mem_poison_ops = {
    .read = mem_poison_read,
    .write = mem_poison_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 1, .max_access_size = 8, .unaligned = true },
    .impl = { .min_access_size = 1, .max_access_size = 8, .unaligned = true },
};

static void einj_entry(GArray *table, uint8_t action, uint8_t instruction,
                       uint16_t reg, uint64_t value, uint64_t mask)
{
    bool status = reg == REG_EINJ_STATUS;

    build_append_int_noprefix(table, action, 1);
    build_append_int_noprefix(table, instruction, 1);
    build_append_int_noprefix(table, 0, 2);
    build_append_gas(table, AML_AS_SYSTEM_MEMORY, status ? 8 : 64,
                     status ? 1 : 0, 4 /* 64-bit access */,
                     MEM_POISON_BASE + reg);
    build_append_int_noprefix(table, value, 8);
    build_append_int_noprefix(table, mask, 8);
}

void mem_poison_build_einj(GArray *table_offsets, GArray *table_data,
                           BIOSLinker *linker, const char *oem_id)
{
    static const struct {
        uint8_t action;
        uint8_t instruction;
        uint16_t reg;
        uint64_t value;
        uint64_t mask;
    } entries[] = {
        { EINJ_BEGIN, EINJ_WRITE_VALUE, REG_EINJ_STATE, 1, 1 },
        { EINJ_GET_TRIGGER_TABLE, EINJ_READ, REG_EINJ_TRIGGER, 0, UINT64_MAX },
        { EINJ_SET_ERROR_TYPE, EINJ_WRITE, REG_EINJ_TYPE, 0, UINT64_MAX },
        { EINJ_GET_ERROR_TYPE, EINJ_READ, REG_EINJ_CAPS, 0, UINT64_MAX },
        { EINJ_END, EINJ_WRITE_VALUE, REG_EINJ_STATE, 0, 1 },
        { EINJ_EXECUTE, EINJ_WRITE_VALUE, REG_EINJ_EXECUTE, 1, 1 },
        { EINJ_CHECK_BUSY, EINJ_READ_VALUE, REG_EINJ_BUSY, 1, 1 },
        { EINJ_GET_STATUS, EINJ_READ, REG_EINJ_STATUS, 0, 0xff },
        { EINJ_SET_TYPE_WITH_ADDRESS, EINJ_WRITE, REG_EINJ_PARAM, 0,
          UINT64_MAX },
        { EINJ_GET_TIMINGS, EINJ_READ, REG_EINJ_TIMINGS, 0, UINT64_MAX },
    };
    AcpiTable table = {
        .sig = "EINJ", .rev = 1,
        .oem_id = oem_id, .oem_table_id = "POISONPC",
    };
    unsigned i;

    if (!the_device) {
        return;
    }
    acpi_add_table(table_offsets, table_data);
    acpi_table_begin(&table, table_data);
    build_append_int_noprefix(table_data, 12, 4); /* injection header size */
    build_append_int_noprefix(table_data, 0, 4);  /* flags, reserved */
    build_append_int_noprefix(table_data, ARRAY_SIZE(entries), 4);
    for (i = 0; i < ARRAY_SIZE(entries); i++) {
        einj_entry(table_data, entries[i].action, entries[i].instruction,
                   entries[i].reg, entries[i].value, entries[i].mask);
    }
    acpi_table_end(linker, &table);
}

/*
 * Firmware that initialises memory overwrites every line of it, so a reset
 * heals. keep-on-reset is for a warm reset that leaves memory alone.
 */
static void mem_poison_reset(void *opaque)
{
    MemPoisonState *s = opaque;

    if (!s->keep_on_reset) {
        mem_poison_remove_all();
    }
    mem_poison_stats = (MemPoisonStats) { };
    s->guest_left_out = 0;
    s->consumed = 0;
    memset(s->log, 0, sizeof(s->log));
    s->einj_type = 0;
    s->einj_status = 0;
    s->einj_begun = 0;
    memset(s->einj_param, 0, sizeof(s->einj_param));
}

static int mem_poison_pre_save(void *opaque)
{
    MemPoisonState *s = opaque;

    s->nr_pages = mem_poison_snapshot(&s->pages);
    return 0;
}

static int mem_poison_post_save(void *opaque)
{
    MemPoisonState *s = opaque;

    g_clear_pointer(&s->pages, g_free);
    return 0;
}

/* The destination may have its RAM elsewhere: look the addresses up again. */
static int mem_poison_post_load(void *opaque, int version)
{
    MemPoisonState *s = opaque;
    Error *err = NULL;
    int i;

    mem_poison_remove_all();
    mem_poison_stats = (MemPoisonStats) { };
    for (i = 0; i < s->nr_pages && !err; i++) {
        ram_addr_t ram;

        if (ram_at(s->pages[i].phys, &ram, &err)) {
            mem_poison_restore(&s->pages[i], ram);
            tb_invalidate_phys_range(ram, ram + MEM_POISON_PAGE_SIZE - 1);
        }
    }
    g_clear_pointer(&s->pages, g_free);
    s->busy = false;
    if (err) {
        error_report_err(err);
        return -EINVAL;
    }
    return 0;
}

static const VMStateDescription vmstate_page = {
    .name = "memory-poison/page",
    .version_id = 1,
    .minimum_version_id = 1,
    .fields = (const VMStateField[]) {
        VMSTATE_UINT64(phys, MemPoisonPage),
        VMSTATE_UINT64(lines, MemPoisonPage),
        VMSTATE_UINT64_ARRAY(stored, MemPoisonPage, 64),
        VMSTATE_END_OF_LIST()
    },
};

static const VMStateDescription vmstate_mem_poison = {
    .name = "memory-poison",
    .version_id = 2,
    .minimum_version_id = 2,
    .pre_save = mem_poison_pre_save,
    .post_save = mem_poison_post_save,
    .post_load = mem_poison_post_load,
    .fields = (const VMStateField[]) {
        VMSTATE_INT32(nr_pages, MemPoisonState),
        VMSTATE_STRUCT_VARRAY_ALLOC(pages, MemPoisonState, nr_pages, 1,
                                    vmstate_page, MemPoisonPage),
        VMSTATE_UINT64(consumed, MemPoisonState),
        VMSTATE_BUFFER(log, MemPoisonState),
        VMSTATE_UINT64(guest_left_out, MemPoisonState),
        VMSTATE_UINT64(einj_type, MemPoisonState),
        VMSTATE_UINT64(einj_status, MemPoisonState),
        VMSTATE_UINT64(einj_begun, MemPoisonState),
        VMSTATE_BUFFER(einj_param, MemPoisonState),
        VMSTATE_END_OF_LIST()
    },
};

static void mem_poison_realize(DeviceState *dev, Error **errp)
{
    MemPoisonState *s = MEM_POISON(dev);

    if (!tcg_enabled()) {
        error_setg(errp, "%s needs TCG", TYPE_MEM_POISON);
        return;
    }
    if (the_device) {
        error_setg(errp, "at most one %s device is permitted",
                   TYPE_MEM_POISON);
        return;
    }
    the_device = s;
    mem_poison_lax = s->lax_stores;
    qemu_mutex_init(&s->log_lock);
    memory_region_init_io(&s->regs, OBJECT(s), &mem_poison_ops, s,
                          TYPE_MEM_POISON, MEM_POISON_PAGE_SIZE);
    memory_region_add_subregion(get_system_memory(), MEM_POISON_BASE, &s->regs);
    qemu_register_reset(mem_poison_reset, s);
}

static const Property mem_poison_properties[] = {
    DEFINE_PROP_BOOL("lax-stores", MemPoisonState, lax_stores, false),
    DEFINE_PROP_BOOL("keep-on-reset", MemPoisonState, keep_on_reset, false),
};

static void mem_poison_class_init(ObjectClass *klass, void *data)
{
    static const struct {
        const char *name;
        uintptr_t bit;
        const char *description;
    } left_out[] = {
        { "no-addrv", MEM_POISON_NO_ADDRV,
          "machine checks have no address" },
        { "page-lsb", MEM_POISON_PAGE_LSB,
          "machine checks have an address that is good to a page" },
        { "no-ripv", MEM_POISON_NO_RIPV,
          "machine checks do not allow to go on" },
        { "no-eipv", MEM_POISON_NO_EIPV,
          "machine checks have a RIP that has nothing to do with them" },
        { "no-sticky", MEM_POISON_NO_STICKY,
          "machine checks do not show in a bank that has an older error" },
        { "no-bank", MEM_POISON_NO_BANK,
          "machine checks have no error in any bank" },
    };
    DeviceClass *dc = DEVICE_CLASS(klass);
    unsigned i;

    dc->desc = "poisons lines of guest RAM (ACPI EINJ)";
    dc->vmsd = &vmstate_mem_poison;
    dc->realize = mem_poison_realize;
    dc->hotpluggable = false;
    device_class_set_props(dc, mem_poison_properties);
    set_bit(DEVICE_CATEGORY_MISC, dc->categories);

    object_class_property_add(klass, "arm", "uint64", NULL,
                              mem_poison_set_arm, NULL, NULL);
    object_class_property_set_description(klass, "arm",
        "poison the line at this physical address");
    object_class_property_add(klass, "heal", "uint64", NULL,
                              mem_poison_set_heal, NULL, NULL);
    object_class_property_set_description(klass, "heal",
        "heal the line at this physical address");
    object_class_property_add(klass, "lines", "uint64List",
                              mem_poison_get_lines, NULL, NULL, NULL);
    object_class_property_set_description(klass, "lines",
        "physical addresses of the poisoned lines");
    object_class_property_add(klass, "consumed", "uint64",
                              mem_poison_get_consumed, NULL, NULL, NULL);
    object_class_property_set_description(klass, "consumed",
        "machine checks raised because poison was consumed");
    object_class_property_add(klass, "signal", "uint32", NULL,
                              mem_poison_set_signal, NULL, NULL);
    object_class_property_set_description(klass, "signal",
        "send this CPU a machine check that has nothing to report");
    for (i = 0; i < ARRAY_SIZE(left_out); i++) {
        object_class_property_add(klass, left_out[i].name, "bool",
                                  mem_poison_visit_left_out,
                                  mem_poison_visit_left_out, NULL,
                                  (void *)left_out[i].bit);
        object_class_property_set_description(klass, left_out[i].name,
                                              left_out[i].description);
    }
}

static const TypeInfo mem_poison_info = {
    .name = TYPE_MEM_POISON,
    .parent = TYPE_DEVICE,
    .instance_size = sizeof(MemPoisonState),
    .class_init = mem_poison_class_init,
};

static void mem_poison_register_types(void)
{
    type_register_static(&mem_poison_info);
}

type_init(mem_poison_register_types)
