/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __MM_HWPOISON_STATS_H
#define __MM_HWPOISON_STATS_H

#include <linux/hwpoison.h>

void hwpoison_count(enum hwpoison_source source, enum hwpoison_outcome outcome);

#endif /* __MM_HWPOISON_STATS_H */
