#include "../kselftest_harness.h"
#include "mce_lib.h"
TEST(x) {}
#include "mce_main.h"
