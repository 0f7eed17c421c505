#include "arch/spinlock.h"
