// SPDX-License-Identifier: GPL-2.0
/* Defines the tracepoints that trace.h declares, and for each a function that Rust can call. */

#define CREATE_TRACE_POINTS
#define CREATE_RUST_TRACE_POINTS
#include "trace.h"
