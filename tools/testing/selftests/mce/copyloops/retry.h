/* SPDX-License-Identifier: GPL-2.0 */
#ifndef COPYLOOPS_RETRY_H
#define COPYLOOPS_RETRY_H

#include <stdbool.h>

bool retry_keeps_registers(unsigned long *cases);

#endif /* COPYLOOPS_RETRY_H */
